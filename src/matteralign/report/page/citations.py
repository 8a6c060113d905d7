"""What to cite for what the report shows."""

from __future__ import annotations

from collections.abc import Iterator

from matteralign.metrics.base.card import Citation
from matteralign.metrics.base.registry import METRICS


def _of_metrics() -> Iterator[Citation]:
    """Yield what the cards of the metrics cite, once each, metrics of pairs first."""
    kinds = [[m for m in METRICS.values() if m.kind == kind] for kind in ("pair", "model")]
    yield from dict.fromkeys(info.citation for same in kinds for info in same)


CITATIONS = (
    Citation(
        "The study",
        "Edamadaka, S., Yang, S., Li, J. & Gómez-Bombarelli, R. Universally Converging "
        "Representations of Matter Across Scientific Foundation Models. arXiv:2512.03750 (2025).",
        "https://arxiv.org/abs/2512.03750",
    ),
    *_of_metrics(),
    Citation(
        "Neighbour joining",
        "Saitou, N. & Nei, M. The neighbor-joining method: a new method for reconstructing "
        "phylogenetic trees. Mol. Biol. Evol. 4, 406–425 (1987).",
        "https://doi.org/10.1093/oxfordjournals.molbev.a040454",
    ),
)
