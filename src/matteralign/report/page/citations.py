"""What to cite for what the report shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Citation:
    """One reference: what for, text, link (shown, never loaded)."""

    use: str
    text: str
    url: str


CITATIONS = (
    Citation(
        "The study",
        "Edamadaka, S., Yang, S., Li, J. & Gómez-Bombarelli, R. Universally Converging "
        "Representations of Matter Across Scientific Foundation Models. arXiv:2512.03750 (2025).",
        "https://arxiv.org/abs/2512.03750",
    ),
    Citation(
        "CKNNA",
        "Huh, M., Cheung, B., Wang, T. & Isola, P. The Platonic Representation Hypothesis. "
        "arXiv:2405.07987 (2024).",
        "https://arxiv.org/abs/2405.07987",
    ),
    Citation(
        "Distance correlation",
        "Székely, G. J., Rizzo, M. L. & Bakirov, N. K. Measuring and testing dependence by "
        "correlation of distances. Ann. Stat. 35, 2769–2794 (2007).",
        "https://doi.org/10.1214/009053607000000505",
    ),
    Citation(
        "CKA",
        "Kornblith, S., Norouzi, M., Lee, H. & Hinton, G. Similarity of Neural Network "
        "Representations Revisited. ICML (2019). arXiv:1905.00414.",
        "https://arxiv.org/abs/1905.00414",
    ),
    Citation(
        "Information imbalance",
        "Glielmo, A., Zeni, C., Cheng, B., Csányi, G. & Laio, A. Ranking the information "
        "content of distance measures. PNAS Nexus 1, pgac039 (2022).",
        "https://doi.org/10.1093/pnasnexus/pgac039",
    ),
    Citation(
        "IdCor",
        "Basile, L., Acevedo, S., Bortolussi, L., Anselmi, F. & Rodriguez, A. Intrinsic "
        "Dimension Correlation. arXiv:2406.15812 (2024).",
        "https://arxiv.org/abs/2406.15812",
    ),
    Citation(
        "Reconstruction errors",
        "Goscinski, A., Fraux, G., Imbalzano, G. & Ceriotti, M. The role of feature space in "
        "atomistic learning. Mach. Learn.: Sci. Technol. 2, 025028 (2021).",
        "https://doi.org/10.1088/2632-2153/abdaf7",
    ),
    Citation(
        "TwoNN",
        "Facco, E., d'Errico, M., Rodriguez, A. & Laio, A. Estimating the intrinsic dimension "
        "of datasets by a minimal neighborhood information. Sci. Rep. 7, 12140 (2017).",
        "https://doi.org/10.1038/s41598-017-11873-y",
    ),
    Citation(
        "MLE intrinsic dimension",
        "Levina, E. & Bickel, P. J. Maximum Likelihood Estimation of Intrinsic Dimension. "
        "NeurIPS 17 (2004).",
        "https://papers.nips.cc/paper/2004/hash/74934548253bcab8490ebd74afed7031-Abstract.html",
    ),
    Citation(
        "Neighbour joining",
        "Saitou, N. & Nei, M. The neighbor-joining method: a new method for reconstructing "
        "phylogenetic trees. Mol. Biol. Evol. 4, 406–425 (1987).",
        "https://doi.org/10.1093/oxfordjournals.molbev.a040454",
    ),
)
