"""Circular fingerprints through RDKit: the classical reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


class FingerprintWrapper(Wrapper):
    """ECFP of a SMILES as zeros and ones (Rogers and Hahn, J. Chem. Inf. Model. 2010, 50, 742).

    Options
    -------
    radius
        2 gives ECFP4.
    chirality
        Whether stereo marks enter the atom invariants.
    """

    family: ClassVar[str] = "fingerprint"
    options_known: ClassVar[Mapping[str, Any]] = {"radius": 2, "chirality": False}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        self._generator = rdFingerprintGenerator.GetMorganGenerator(
            radius=int(self.options["radius"]),
            fpSize=card.latent.dim,
            includeChirality=bool(self.options["chirality"]),
        )

    def n_parameters(self) -> int:
        return 0

    def packages(self) -> list[str]:
        return ["numpy", "rdkit"]

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        rows = [self._generator.GetFingerprintAsNumPy(Chem.MolFromSmiles(s.smiles)) for s in batch]
        return Embedded(np.stack(rows).astype(np.float32))
