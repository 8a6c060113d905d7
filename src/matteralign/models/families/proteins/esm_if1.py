"""ESM-IF1, the inverse-folding model of fair-esm: backbone in, sequence out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import (
    ChainWrapper,
    centred,
    mean_over_residues,
    resolved,
)
from matteralign.models.families.proteins.fair_esm import esm, load_fair_esm
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


class EsmIf1Wrapper(ChainWrapper):
    """``encoder_out`` of the structure encoder, after its final norm.

    Residues without N, CA and C are told to the encoder as the package wants it, with
    infinite coordinates, and left out of the mean. The package takes the place of a missing
    residue, and of the two tokens about the chain, for the origin: chains are moved to their
    centre first, without which the latent would depend on where they lie.
    """

    family: ClassVar[str] = "esm_if1"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        self._model, alphabet = load_fair_esm(self)
        self._convert = esm.inverse_folding.util.CoordBatchConverter(alphabet)

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "torch-geometric", "fair-esm"]

    def letters(self) -> None:
        return None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        chains = [(np.nan_to_num(centred(s, 3), nan=np.inf), None, None) for s in batch]
        coordinates, confidence, _, _, padding = self._convert(chains, device=self.device)
        with torch.no_grad():
            found = self._model.encoder(coordinates, padding, confidence)["encoder_out"][0]
        places = [np.flatnonzero(resolved(s, 3)) + 1 for s in batch]
        return Embedded(mean_over_residues(found.transpose(0, 1), places))
