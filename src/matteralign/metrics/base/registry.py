"""The cards of all metrics, and the version of neighbour lists."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from matteralign.core.suggest import unknown
from matteralign.metrics.base.card import (
    Citation,
    DefinitionInfo,
    MetricInfo,
    NeighbourLists,
    ParamInfo,
    Ranks,
    Rows,
    Sums,
)
from matteralign.metrics.base.errors import MetricSpecError

LISTS_VERSION = 3
"""Version of neighbour lists on disk, raised when the search may find or order others."""

_RIGID = frozenset({"rotation", "permutation"})
_EUCLID = _RIGID | {"scale", "translation"}
_UNBOUNDED = (-math.inf, math.inf)
_PERMUTED = {"permutations": ParamInfo(20, low=0), "seed": ParamInfo(0, low=0)}

_HUH = Citation(
    "CKNNA",
    "Huh, M., Cheung, B., Wang, T. & Isola, P. The Platonic Representation Hypothesis. "
    "arXiv:2405.07987 (2024).",
    "https://arxiv.org/abs/2405.07987",
)
_GOSCINSKI = Citation(
    "Reconstruction errors",
    "Goscinski, A., Fraux, G., Imbalzano, G. & Ceriotti, M. The role of feature space in "
    "atomistic learning. Mach. Learn.: Sci. Technol. 2, 025028 (2021).",
    "https://doi.org/10.1088/2632-2153/abdaf7",
)
_NO_BOUNDS = "above 1: a ratio of unbiased estimates has no bounds"


def _by_name(*definitions: DefinitionInfo) -> Mapping[str, DefinitionInfo]:
    return MappingProxyType({d.name: d for d in definitions})


_CKNNA = MetricInfo(
    name="cknna",
    kind="pair",
    version=8,
    cost="inner-product kNN once per model O(N^2 d), then O(N k) per pair",
    display_name="CKNNA",
    short_name="CKNNA",
    citation=_HUH,
    figure="heat map",
    diagonal=1.0,
    function="functions:cknna",
    definitions=_by_name(
        DefinitionInfo(
            "huh2024",
            "mask the uncentred kernels with shared neighbours, then unbiased HSIC; "
            "1e-6 added to the denominator",
            "Huh et al. 2024, arXiv 2405.07987, as in the implementation they released",
            words="released code of Huh et al.",
            reads=NeighbourLists("inner", entries=True),
            code="local.huh2024:cknna_huh2024",
            # With an asymmetric mask the unbiased HSIC pairs column sums of one kernel with
            # row sums of the other, so exchanging the arguments moves the value slightly.
            symmetric=False,
            value_range=_UNBOUNDED,
            identical=None,
            identical_words="1 but for the constant in the denominator",
            invariances=_RIGID,
            min_n=4,
            params={"k": ParamInfo(25, low=2)},
            # Inner products of unscaled rows make the longest vectors everyone's neighbours, so
            # the scores of Huh et al. are used as their code uses them: on unit rows.
            scaling="l2",
            # The unbiased HSIC is made for symmetric matrices. With k above half of the rows
            # what the asymmetric mask adds is as large as the score: the two directions of one
            # pair differ by up to 0.4 at n = 30, and identical embeddings are no upper bound.
            unstable_above_half=True,
            above_one="above 1: the released formula is no correlation, its mask is not "
            "symmetric and k is not small against n",
        ),
        DefinitionInfo(
            "text",
            "centre both kernels over rows and columns, then sum their product over shared "
            "neighbours",
            "Huh et al. 2024, arXiv 2405.07987, its equations with the centring of HSIC",
            words="kernels centred over rows and columns",
            reads=NeighbourLists("inner", entries=True),
            code="local.scores:cknna_text",
            symmetric=True,
            value_range=(-1.0, 1.0),
            identical=1.0,
            invariances=_RIGID | {"scale"},
            min_n=2,
            params={"k": ParamInfo(25, low=1)},
        ),
        DefinitionInfo(
            "printed",
            "take its mean over all pairs off each kernel, then sum their product over shared "
            "neighbours",
            "Edamadaka et al. 2025, arXiv 2512.03750, as equations A3 to A8 are printed",
            words="one mean off each kernel, as the study prints it",
            reads=NeighbourLists("inner", entries=True),
            code="local.scores:cknna_printed",
            symmetric=True,
            value_range=(-1.0, 1.0),
            identical=1.0,
            invariances=_RIGID | {"scale"},
            min_n=2,
            params={"k": ParamInfo(25, low=1)},
        ),
    ),
)

_MUTUAL_KNN = MetricInfo(
    name="mutual_knn",
    kind="pair",
    version=6,
    cost="kNN once per model O(N^2 d), then O(N k) per pair",
    display_name="Mutual neighbours",
    short_name="Mutual neighbours",
    citation=_HUH,
    figure="heat map",
    diagonal=1.0,
    function="functions:mutual_knn",
    definitions=_by_name(
        DefinitionInfo(
            "inner",
            "mean share of the k neighbours that both embeddings list, neighbours by inner "
            "product of the rows as given",
            "Huh et al. 2024, arXiv 2405.07987",
            words="inner products",
            reads=NeighbourLists("inner"),
            code="local.scores:mutual_knn",
            symmetric=True,
            value_range=(0.0, 1.0),
            identical=1.0,
            invariances=_RIGID | {"scale"},
            min_n=2,
            params={"k": ParamInfo(25, low=1)},
            scaling="l2",
        ),
        DefinitionInfo(
            "euclidean",
            "the same with neighbours by Euclidean distance",
            "Huh et al. 2024, arXiv 2405.07987, with Euclidean lists",
            words="distances",
            reads=NeighbourLists("euclid"),
            code="local.scores:mutual_knn",
            symmetric=True,
            value_range=(0.0, 1.0),
            identical=1.0,
            invariances=_EUCLID,
            min_n=2,
            params={"k": ParamInfo(25, low=1)},
        ),
    ),
)

_DCOR = MetricInfo(
    name="dcor",
    kind="pair",
    version=3,
    cost="O(N^2 d) per model, O(N^2) per pair, one pass for all pairs",
    display_name="Distance correlation",
    short_name="dCor",
    citation=Citation(
        "Distance correlation",
        "Székely, G. J., Rizzo, M. L. & Bakirov, N. K. Measuring and testing dependence by "
        "correlation of distances. Ann. Stat. 35, 2769–2794 (2007).",
        "https://doi.org/10.1214/009053607000000505",
    ),
    figure="heat map",
    diagonal=1.0,
    function="functions:dcor",
    definitions=_by_name(
        DefinitionInfo(
            "root",
            "distance correlation: square root of the ratio of squared distance covariances",
            "Székely, Rizzo & Bakirov 2007, Ann. Statist. 35, 2769",
            words="with square root",
            reads=Sums("distances"),
            code="global_scores:GlobalScores",
            symmetric=True,
            value_range=(0.0, 1.0),
            identical=1.0,
            invariances=_EUCLID,
            min_n=2,
            debiased_words="The root makes small values look large: 0.04 becomes 0.2.",
        ),
        DefinitionInfo(
            "squared",
            "the same without the outer root: dCov^2 / sqrt(dVar^2 dVar^2)",
            "Székely, Rizzo & Bakirov 2007, Ann. Statist. 35, 2769",
            words="squared",
            reads=Sums("distances"),
            code="global_scores:GlobalScores",
            symmetric=True,
            value_range=(0.0, 1.0),
            identical=1.0,
            invariances=_EUCLID,
            min_n=2,
        ),
        DefinitionInfo(
            "debiased",
            "ratio of U-statistics of squared distance covariance: 0 for independent data",
            "Székely & Rizzo 2013, J. Multivar. Anal. 117, 193",
            words="squared, debiased",
            reads=Sums("distances"),
            code="global_scores:GlobalScores",
            symmetric=True,
            value_range=_UNBOUNDED,
            identical=1.0,
            invariances=_EUCLID,
            min_n=4,
            above_one=_NO_BOUNDS,
        ),
    ),
)

_CKA = MetricInfo(
    name="cka",
    kind="pair",
    version=3,
    cost="O(N^2 d) per model, O(N^2) per pair, one pass for all pairs",
    display_name="Linear CKA",
    short_name="CKA",
    citation=Citation(
        "CKA",
        "Kornblith, S., Norouzi, M., Lee, H. & Hinton, G. Similarity of Neural Network "
        "Representations Revisited. ICML (2019). arXiv:1905.00414.",
        "https://arxiv.org/abs/1905.00414",
    ),
    figure="heat map",
    diagonal=1.0,
    function="functions:cka",
    definitions=_by_name(
        DefinitionInfo(
            "plain",
            "linear CKA: <HKH, HLH> / (|HKH| |HLH|)",
            "Kornblith et al. 2019, arXiv 1905.00414",
            reads=Sums("kernels"),
            code="global_scores:GlobalScores",
            symmetric=True,
            value_range=(0.0, 1.0),
            identical=1.0,
            invariances=_EUCLID,
            min_n=2,
        ),
        DefinitionInfo(
            "debiased",
            "linear CKA from the unbiased HSIC: 0 for independent data",
            "Song et al. 2012, J. Mach. Learn. Res. 13, 1393, eq. 5; Murphy et al. 2024, "
            "arXiv 2405.01012",
            words="debiased",
            reads=Sums("kernels"),
            code="global_scores:GlobalScores",
            symmetric=True,
            value_range=_UNBOUNDED,
            identical=1.0,
            invariances=_EUCLID,
            min_n=4,
            above_one=_NO_BOUNDS,
        ),
    ),
)

_INFORMATION_IMBALANCE = MetricInfo(
    name="information_imbalance",
    kind="pair",
    version=6,
    cost="k = 1: O(N^2) per pair in the pass; larger k: O(N^2 d) per model beside it",
    display_name="Information imbalance",
    short_name="Information imbalance",
    citation=Citation(
        "Information imbalance",
        "Glielmo, A., Zeni, C., Cheng, B., Csányi, G. & Laio, A. Ranking the information "
        "content of distance measures. PNAS Nexus 1, pgac039 (2022).",
        "https://doi.org/10.1093/pnasnexus/pgac039",
    ),
    figure="plane",
    larger_is_closer=False,
    direction="Δ(a→b)",
    no_better=1.0,
    function="functions:information_imbalance",
    definitions=_by_name(
        DefinitionInfo(
            "rank",
            "Delta(a->b) = 2/N times the mean rank in b of the k nearest neighbours in a",
            "Glielmo et al. 2022, PNAS Nexus 1, pgac039",
            words="ranks",
            reads=Ranks(),
            code="imbalance.scores:Imbalance",
            symmetric=False,
            value_range=(0.0, 2.0),
            identical=None,
            identical_words="(k + 1)/n, the ranks being 1 to k",
            invariances=_EUCLID,
            min_n=2,
            params={"k": ParamInfo(1, low=1)},
        ),
    ),
)

_TWONN = MetricInfo(
    name="twonn",
    kind="model",
    version=2,
    cost="Euclidean kNN, O(N^2 d)",
    display_name="TwoNN",
    short_name="TwoNN",
    citation=Citation(
        "TwoNN",
        "Facco, E., d'Errico, M., Rodriguez, A. & Laio, A. Estimating the intrinsic dimension "
        "of datasets by a minimal neighborhood information. Sci. Rep. 7, 12140 (2017).",
        "https://doi.org/10.1038/s41598-017-11873-y",
    ),
    figure="bars",
    function="functions:twonn",
    definitions=_by_name(
        DefinitionInfo(
            "fit",
            "slope through the origin of -ln(1 - i/N) on ln(r2/r1), largest ratios left out",
            "Facco et al. 2017, Sci. Rep. 7, 12140",
            reads=NeighbourLists("euclid", 2),
            code="dimension.estimators:twonn_estimates",
            symmetric=True,
            value_range=(0.0, math.inf),
            identical=None,
            identical_words="scores one embedding",
            invariances=_EUCLID,
            min_n=3,
            params={"fraction": ParamInfo(0.9, low=0.0, high=1.0)},
        ),
    ),
)

_MLE = MetricInfo(
    name="mle",
    kind="model",
    version=4,
    cost="Euclidean kNN, O(N^2 d)",
    display_name="MLE",
    short_name="MLE",
    citation=Citation(
        "MLE intrinsic dimension",
        "Levina, E. & Bickel, P. J. Maximum Likelihood Estimation of Intrinsic Dimension. "
        "NeurIPS 17 (2004).",
        "https://papers.nips.cc/paper/2004/hash/74934548253bcab8490ebd74afed7031-Abstract.html",
    ),
    figure="bars",
    function="functions:mle_intrinsic_dimension",
    definitions=_by_name(
        DefinitionInfo(
            "levina_bickel",
            "maximum likelihood from log distance ratios to the k nearest neighbours",
            "Levina & Bickel 2004, NeurIPS 17; average 'inverse_mean': MacKay & Ghahramani 2005",
            reads=NeighbourLists("euclid"),
            code="dimension.estimators:mle_estimates",
            symmetric=True,
            value_range=(0.0, math.inf),
            identical=None,
            identical_words="scores one embedding",
            invariances=_EUCLID,
            min_n=3,
            params={
                "k": ParamInfo(50, low=2),
                "average": ParamInfo("inverse_mean", choices=("inverse_mean", "mean")),
            },
        ),
    ),
)

_IDCOR = MetricInfo(
    name="idcor",
    kind="pair",
    version=3,
    cost="O(N^2 d) per model, O(N^2) per pair and per permutation",
    display_name="IdCor",
    short_name="IdCor",
    citation=Citation(
        "IdCor",
        "Basile, L., Acevedo, S., Bortolussi, L., Anselmi, F. & Rodriguez, A. Intrinsic "
        "Dimension Correlation. arXiv:2406.15812 (2024).",
        "https://arxiv.org/abs/2406.15812",
    ),
    figure="heat map",
    function="dimension.correlation:idcor",
    definitions=_by_name(
        DefinitionInfo(
            "basile2024",
            "(I1 + I2 - I12) / max(I1, I2), TwoNN dimensions of standardised features",
            "Basile et al. 2024, arXiv 2406.15812",
            reads=Rows(),
            code="dimension.correlation:idcor_of_rows",
            symmetric=True,
            value_range=_UNBOUNDED,
            identical=1.0,
            # Columns are standardised one by one, so a rotation changes the distances.
            invariances=frozenset({"permutation", "scale", "translation"}),
            min_n=3,
            params={
                "fraction": ParamInfo(0.9, low=0.0, high=1.0),
                "permutations": ParamInfo(100, low=0),
                "seed": ParamInfo(0, low=0),
            },
        ),
    ),
)


def _reconstruction(
    name: str,
    version: int,
    scope: str,
    *,
    cost: str,
    summary: str,
    identical_words: str,
    params: Mapping[str, ParamInfo],
) -> MetricInfo:
    """Return the card of a reconstruction error of Goscinski et al., ``global`` or ``local``."""
    return MetricInfo(
        name=name,
        kind="pair",
        version=version,
        cost=cost,
        display_name=f"{scope.capitalize()} reconstruction error",
        short_name=name.upper(),
        citation=_GOSCINSKI,
        figure="heat map",
        larger_is_closer=False,
        direction="error of b rebuilt from a",
        no_better=1.0,
        function=f"reconstruction.scores:{scope}_reconstruction_error",
        definitions=_by_name(
            DefinitionInfo(
                "goscinski2021",
                summary,
                "Goscinski et al. 2021, Mach. Learn.: Sci. Technol. 2, 025028",
                reads=Rows(split=True),
                code=f"reconstruction.scores:{name}_of_rows",
                symmetric=False,
                value_range=(0.0, math.inf),
                identical=None,
                identical_words=identical_words,
                invariances=frozenset({"scale", "translation"}),
                min_n=4,
                params={**params, **_PERMUTED},
            ),
        ),
    )


_GFRE = _reconstruction(
    "gfre",
    4,
    "global",
    cost="O(N d^2) per source model, and per pair and permutation",
    summary="root mean square error of a linear map fitted to half of the rows",
    identical_words="0 where the training rows span those of the test",
    params={},
)

_LFRE = _reconstruction(
    "lfre",
    5,
    "local",
    cost="O(N k d min(k, d)) per source model, O(N k d min(k, d)) per pair and permutation",
    summary="the same with one linear map per test row, fitted to its k nearest rows",
    identical_words="0 where the k nearest training rows span the test row",
    params={"k": ParamInfo(25, low=2)},
)

_PROCRUSTES = MetricInfo(
    name="procrustes",
    kind="pair",
    version=2,
    cost="O(N d^2 + d^3) per pair and per permutation, d at most N",
    display_name="Procrustes similarity",
    short_name="Procrustes",
    citation=Citation(
        "Procrustes similarity",
        "Ding, F., Denain, J.-S. & Steinhardt, J. Grounding Representation Similarity with "
        "Statistical Testing. NeurIPS 34 (2021). arXiv:2108.01661.",
        "https://arxiv.org/abs/2108.01661",
    ),
    figure="heat map",
    diagonal=1.0,
    function="arrays.procrustes:procrustes_similarity",
    definitions=_by_name(
        DefinitionInfo(
            "nuclear",
            "nuclear norm of X^T Y over both Frobenius norms, columns centred: 1 less half the "
            "squared distance after the best rotation",
            "Schönemann 1966, Psychometrika 31, 1; Ding et al. 2021, arXiv 2108.01661; Williams "
            "et al. 2021, arXiv 2110.14739",
            words="1 less half the squared distance after the best rotation",
            reads=Rows(),
            code="arrays.procrustes:procrustes_of_rows",
            symmetric=True,
            value_range=(0.0, 1.0),
            identical=1.0,
            invariances=_EUCLID,
            min_n=3,
            params=_PERMUTED,
        ),
    ),
)

_INFOS = (
    _CKNNA,
    _MUTUAL_KNN,
    _DCOR,
    _CKA,
    _INFORMATION_IMBALANCE,
    _TWONN,
    _MLE,
    _IDCOR,
    _GFRE,
    _LFRE,
    _PROCRUSTES,
)

METRICS: Mapping[str, MetricInfo] = MappingProxyType({info.name: info for info in _INFOS})
"""Every metric of the engine by name."""


def metric_info(name: str) -> MetricInfo:
    """Return the entry of metric `name`; MetricSpecError offers the nearest match."""
    if name not in METRICS:
        raise MetricSpecError(unknown("metric", name, METRICS))
    return METRICS[name]


def definition_of(metric: str, definition: str) -> DefinitionInfo:
    """Return the entry of a definition, both names known."""
    return METRICS[metric].definitions[definition]
