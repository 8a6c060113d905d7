"""Which share of a sample set a model can take: as embedded, or as its card lets expect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matteralign.models.base.checks import refuse_common
from matteralign.models.prompts import read_prompt
from matteralign.registry.card import ModelCard
from matteralign.stages.study.layout import Layout
from matteralign.store.latents import read_sidecar
from matteralign.store.structures import Structure, read_structures

LOOKED_AT = 1000
"""Rows looked at before a model has run; their order is random, so the first stand for all."""


@dataclass(frozen=True)
class Coverage:
    """Rows that a model takes.

    Attributes
    ----------
    valid, rows
        How many, of how many.
    measured
        Whether the model has run; else the card alone was asked, which knows nothing of what
        only the model's own code refuses.
    """

    valid: int
    rows: int
    measured: bool

    @property
    def share(self) -> float:
        """Share of the rows, 0 to 1."""
        return self.valid / self.rows if self.rows else 0.0


def coverages(layout: Layout, cards: Sequence[ModelCard]) -> dict[str, Coverage]:
    """Return the coverage of each model on a slice; none before the slice is drawn.

    Raises
    ------
    IntegrityError
        If a file of the slice is damaged.
    """
    found: dict[str, Coverage] = {}
    expected: dict[str, Coverage] = {}
    rows: Sequence[Structure] | None = None
    for card in cards:
        if layout.latent_sidecar(card.key).exists():
            sidecar = read_sidecar(layout.latent(card.key))
            found[card.key] = Coverage(int(sidecar["n_valid"]), int(sidecar["n_rows"]), True)
            continue
        if rows is None:
            if not layout.structures.exists():
                continue
            rows = read_structures(layout.structures).structures[:LOOKED_AT]
        # Models of one kind are asked once.
        kind = f"{card.accepts!r} {card.prompt!r}"
        if kind not in expected:
            valid = sum(_takes(card, structure) for structure in rows)
            expected[kind] = Coverage(valid, len(rows), False)
        found[card.key] = expected[kind]
    return found


def _takes(card: ModelCard, structure: Structure) -> bool:
    if refuse_common(structure, card.accepts) is not None:
        return False
    return card.prompt is None or read_prompt(card).refuse(structure) is None
