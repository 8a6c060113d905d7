"""The chemical composition alone: what a structure is made of, nothing of its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from matteralign.core.errors import UserError
from matteralign.core.suggest import unknown
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_VALUES = ("fractions", "counts")
_ELEMENTS = 118


class CompositionWrapper(Wrapper):
    """How many atoms of each element a structure has, elements 1 to 118 in order.

    Options
    -------
    values
        ``fractions`` of all atoms, or ``counts``.
    """

    family: ClassVar[str] = "composition"
    options_known: ClassVar[Mapping[str, Any]] = {"values": "fractions"}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        if self.options["values"] not in _VALUES:
            raise UserError(
                f"card {card.key}: " + unknown("values", str(self.options["values"]), _VALUES)
            )

    def n_parameters(self) -> int:
        return 0

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        rows = np.stack([np.bincount(s.numbers, minlength=_ELEMENTS + 1)[1:] for s in batch])
        if self.options["values"] == "fractions":
            rows = rows / rows.sum(axis=1, keepdims=True)
        return Embedded(rows.astype(np.float32))
