"""The random baseline: vectors that know nothing of the structure but which one it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.store.structures import Structure


class RandomWrapper(Wrapper):
    """Independent standard normal values, seeded by the structure's content hash.

    A structure gets the same vector in any order, batch or machine; changing it in any way
    gives an unrelated one.

    Options
    -------
    seed
        Another number gives another, independent baseline.
    """

    family: ClassVar[str] = "random"
    options_known: ClassVar[Mapping[str, Any]] = {"seed": 0}

    def n_parameters(self) -> int:
        return 0

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        rows = [self._generator(s).standard_normal(self.card.latent.dim) for s in batch]
        return Embedded(np.stack(rows).astype(np.float32))

    def _generator(self, structure: Structure) -> np.random.Generator:
        entropy = [int(self.options["seed"]), int(structure.digest(), 16)]
        return np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
