"""What each metric is: definitions, declared properties, parameters and versions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from matteralign.core.suggest import unknown
from matteralign.metrics.base.errors import MetricSpecError

ParamValue = int | float | str

LISTS_VERSION = 3
"""Version of neighbour lists on disk, raised when the search may find or order others."""


@dataclass(frozen=True)
class ParamInfo:
    """One parameter of a definition: its default and what it may be.

    Attributes
    ----------
    default : int, float or str
        Value taken when the parameter is not given.
    low, high : float, optional
        Inclusive bounds of an integer, exclusive bounds of a float.
    choices : tuple of str
        Allowed values of a string parameter.
    """

    default: ParamValue
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()

    def check(self, where: str, value: object) -> ParamValue:
        """Return `value` as this parameter's type, or raise MetricSpecError."""
        if isinstance(self.default, str):
            if not isinstance(value, str):
                raise MetricSpecError(f"{where} must be a string, got {value!r}")
            if value not in self.choices:
                raise MetricSpecError(unknown(where, value, self.choices))
            return value
        if isinstance(value, bool) or not hasattr(value, "__float__"):
            raise MetricSpecError(f"{where} must be a number, got {value!r}")
        number = float(value)
        if isinstance(self.default, int):
            if not number.is_integer() or not self.low <= number <= self.high:
                raise MetricSpecError(f"{where} must be an integer >= {self.low:g}, got {value!r}")
            return int(number)
        if not self.low < number < self.high:
            raise MetricSpecError(
                f"{where} must lie between {self.low:g} and {self.high:g} (exclusive), "
                f"got {value!r}"
            )
        return number


@dataclass(frozen=True)
class DefinitionInfo:
    """One named definition of a metric, with the properties it claims.

    Attributes
    ----------
    name, summary, source : str
        Name used in configs and tables, one-line formula, where it comes from.
    symmetric : bool
        Whether value(a, b) == value(b, a).
    value_range : tuple of float
        Smallest and largest value that can occur.
    identical : float or None
        Value for two identical embeddings, where it does not depend on the data.
    invariances : frozenset of str
        Among ``rotation``, ``scale`` (isotropic), ``translation``, ``permutation`` (of rows).
    min_n : int
        Fewest rows that give a value.
    params : Mapping
        Parameter name to ParamInfo.
    """

    name: str
    summary: str
    source: str
    symmetric: bool
    value_range: tuple[float, float]
    identical: float | None
    invariances: frozenset[str]
    min_n: int
    params: Mapping[str, ParamInfo] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricInfo:
    """One metric: its kind, cost, version and definitions.

    Attributes
    ----------
    name : str
    kind : {"pair", "model"}
        Whether it scores a pair of embeddings or one embedding.
    version : int
        Raised when a value could change for the same input.
    cost : str
    definitions : Mapping
        Definition name to DefinitionInfo; the first is the default.
    """

    name: str
    kind: Literal["pair", "model"]
    version: int
    cost: str
    definitions: Mapping[str, DefinitionInfo]

    @property
    def default_definition(self) -> str:
        """Definition used when none is named."""
        return next(iter(self.definitions))

    @property
    def symmetric(self) -> bool:
        """Whether every definition is symmetric; see DefinitionInfo for each."""
        return all(d.symmetric for d in self.definitions.values())

    @property
    def directional(self) -> bool:
        """Whether a->b and b->a answer different questions, so that both are to be shown."""
        return self.name in _ERRORS

    @property
    def larger_is_closer(self) -> bool:
        """Whether a larger value of a pair says that it is more alike, and not less."""
        return self.name not in _ERRORS

    @property
    def value_range(self) -> tuple[float, float]:
        """Range that covers all definitions."""
        ranges = [d.value_range for d in self.definitions.values()]
        return min(r[0] for r in ranges), max(r[1] for r in ranges)

    @property
    def invariances(self) -> frozenset[str]:
        """Invariances that all definitions share."""
        return frozenset.intersection(*(d.invariances for d in self.definitions.values()))

    @property
    def source(self) -> str:
        """Sources of the definitions."""
        return "; ".join(dict.fromkeys(d.source for d in self.definitions.values()))


# How badly one embedding foretells the other: 0 is perfect.
_ERRORS = frozenset({"information_imbalance", "gfre", "lfre"})

_RIGID = frozenset({"rotation", "permutation"})
_EUCLID = _RIGID | {"scale", "translation"}
_UNBOUNDED = (-math.inf, math.inf)


def _metric(
    name: str, kind: Literal["pair", "model"], version: int, cost: str, *defs: DefinitionInfo
) -> MetricInfo:
    return MetricInfo(name, kind, version, cost, MappingProxyType({d.name: d for d in defs}))


def _of_shared_neighbours(
    name: str,
    summary: str,
    source: str,
    *,
    lowest: float,
    invariances: frozenset[str] = _RIGID | {"scale"},
) -> DefinitionInfo:
    """Return a symmetric definition over the k neighbours that both embeddings list."""
    return DefinitionInfo(
        name,
        summary,
        source,
        symmetric=True,
        value_range=(lowest, 1.0),
        identical=1.0,
        invariances=invariances,
        min_n=2,
        params={"k": ParamInfo(25, low=1)},
    )


_INFOS = (
    _metric(
        "cknna",
        "pair",
        8,
        "inner-product kNN once per model O(N^2 d), then O(N k) per pair",
        DefinitionInfo(
            "huh2024",
            "mask the uncentred kernels with shared neighbours, then unbiased HSIC; "
            "1e-6 added to the denominator",
            "Huh et al. 2024, arXiv 2405.07987, as in the implementation they released",
            # With an asymmetric mask the unbiased HSIC pairs column sums of one kernel with
            # row sums of the other, so exchanging the arguments moves the value slightly.
            symmetric=False,
            value_range=_UNBOUNDED,
            identical=None,
            invariances=_RIGID,
            min_n=4,
            params={"k": ParamInfo(25, low=2)},
        ),
        _of_shared_neighbours(
            "text",
            "centre both kernels over rows and columns, then sum their product over shared "
            "neighbours",
            "Huh et al. 2024, arXiv 2405.07987, its equations with the centring of HSIC",
            lowest=-1.0,
        ),
        _of_shared_neighbours(
            "printed",
            "take its mean over all pairs off each kernel, then sum their product over shared "
            "neighbours",
            "Edamadaka et al. 2025, arXiv 2512.03750, as equations A3 to A8 are printed",
            lowest=-1.0,
        ),
    ),
    _metric(
        "mutual_knn",
        "pair",
        6,
        "kNN once per model O(N^2 d), then O(N k) per pair",
        _of_shared_neighbours(
            "inner",
            "mean share of the k neighbours that both embeddings list, neighbours by inner "
            "product of the rows as given",
            "Huh et al. 2024, arXiv 2405.07987",
            lowest=0.0,
        ),
        _of_shared_neighbours(
            "euclidean",
            "the same with neighbours by Euclidean distance",
            "Huh et al. 2024, arXiv 2405.07987, with Euclidean lists",
            lowest=0.0,
            invariances=_EUCLID,
        ),
    ),
    _metric(
        "dcor",
        "pair",
        3,
        "O(N^2 d) per model, O(N^2) per pair, one pass for all pairs",
        DefinitionInfo(
            "root",
            "distance correlation: square root of the ratio of squared distance covariances",
            "Székely, Rizzo & Bakirov 2007, Ann. Statist. 35, 2769",
            symmetric=True,
            value_range=(0.0, 1.0),
            identical=1.0,
            invariances=_EUCLID,
            min_n=2,
        ),
        DefinitionInfo(
            "squared",
            "the same without the outer root: dCov^2 / sqrt(dVar^2 dVar^2)",
            "Székely, Rizzo & Bakirov 2007, Ann. Statist. 35, 2769",
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
            symmetric=True,
            value_range=_UNBOUNDED,
            identical=1.0,
            invariances=_EUCLID,
            min_n=4,
        ),
    ),
    _metric(
        "cka",
        "pair",
        3,
        "O(N^2 d) per model, O(N^2) per pair, one pass for all pairs",
        DefinitionInfo(
            "plain",
            "linear CKA: <HKH, HLH> / (|HKH| |HLH|)",
            "Kornblith et al. 2019, arXiv 1905.00414",
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
            symmetric=True,
            value_range=_UNBOUNDED,
            identical=1.0,
            invariances=_EUCLID,
            min_n=4,
        ),
    ),
    _metric(
        "information_imbalance",
        "pair",
        6,
        "k = 1: O(N^2) per pair in the pass; larger k: O(N^2 d) per model beside it",
        DefinitionInfo(
            "rank",
            "Delta(a->b) = 2/N times the mean rank in b of the k nearest neighbours in a",
            "Glielmo et al. 2022, PNAS Nexus 1, pgac039",
            symmetric=False,
            value_range=(0.0, 2.0),
            identical=None,
            invariances=_EUCLID,
            min_n=2,
            params={"k": ParamInfo(1, low=1)},
        ),
    ),
    _metric(
        "twonn",
        "model",
        2,
        "Euclidean kNN, O(N^2 d)",
        DefinitionInfo(
            "fit",
            "slope through the origin of -ln(1 - i/N) on ln(r2/r1), largest ratios left out",
            "Facco et al. 2017, Sci. Rep. 7, 12140",
            symmetric=True,
            value_range=(0.0, math.inf),
            identical=None,
            invariances=_EUCLID,
            min_n=3,
            params={"fraction": ParamInfo(0.9, low=0.0, high=1.0)},
        ),
    ),
    _metric(
        "mle",
        "model",
        4,
        "Euclidean kNN, O(N^2 d)",
        DefinitionInfo(
            "levina_bickel",
            "maximum likelihood from log distance ratios to the k nearest neighbours",
            "Levina & Bickel 2004, NeurIPS 17; average 'inverse_mean': MacKay & Ghahramani 2005",
            symmetric=True,
            value_range=(0.0, math.inf),
            identical=None,
            invariances=_EUCLID,
            min_n=3,
            params={
                "k": ParamInfo(50, low=2),
                "average": ParamInfo("inverse_mean", choices=("inverse_mean", "mean")),
            },
        ),
    ),
    _metric(
        "idcor",
        "pair",
        3,
        "O(N^2 d) per model, O(N^2) per pair and per permutation",
        DefinitionInfo(
            "basile2024",
            "(I1 + I2 - I12) / max(I1, I2), TwoNN dimensions of standardised features",
            "Basile et al. 2024, arXiv 2406.15812",
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
    _metric(
        "gfre",
        "pair",
        3,
        "O(N d^2) per source model, and per pair and permutation",
        DefinitionInfo(
            "goscinski2021",
            "root mean square error of a linear map fitted to half of the rows",
            "Goscinski et al. 2021, Mach. Learn.: Sci. Technol. 2, 025028",
            symmetric=False,
            value_range=(0.0, math.inf),
            identical=None,
            invariances=frozenset({"scale", "translation"}),
            min_n=4,
            params={
                "permutations": ParamInfo(20, low=0),
                "seed": ParamInfo(0, low=0),
            },
        ),
    ),
    _metric(
        "lfre",
        "pair",
        4,
        "O(N k d min(k, d)) per source model, O(N k d min(k, d)) per pair and permutation",
        DefinitionInfo(
            "goscinski2021",
            "the same with one linear map per test row, fitted to its k nearest rows",
            "Goscinski et al. 2021, Mach. Learn.: Sci. Technol. 2, 025028",
            symmetric=False,
            value_range=(0.0, math.inf),
            identical=None,
            invariances=frozenset({"scale", "translation"}),
            min_n=4,
            params={
                "k": ParamInfo(25, low=2),
                "permutations": ParamInfo(20, low=0),
                "seed": ParamInfo(0, low=0),
            },
        ),
    ),
)

METRICS: Mapping[str, MetricInfo] = MappingProxyType({info.name: info for info in _INFOS})
"""Every metric of the engine by name."""


def metric_info(name: str) -> MetricInfo:
    """Return the entry of metric `name`; MetricSpecError offers the nearest match."""
    if name not in METRICS:
        raise MetricSpecError(unknown("metric", name, METRICS))
    return METRICS[name]
