"""ESM2 protein language models through fair-esm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import ChainWrapper, mean_over_residues
from matteralign.models.families.proteins.fair_esm import load_fair_esm
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure


class Esm2Wrapper(ChainWrapper):
    """``representations`` of the last layer, after its final norm, without BOS and EOS.

    Files: the model under its own name, which begins with ``esm2``, and its
    ``-contact-regression.pt``. X, B, Z, U and O have tokens of their own.
    """

    family: ClassVar[str] = "esm2"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        self._model, alphabet = load_fair_esm(self)
        self._convert = alphabet.get_batch_converter()
        self._letters = frozenset(t for t in alphabet.standard_toks if t.isalpha())

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "fair-esm"]

    def letters(self) -> frozenset[str]:
        return self._letters

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        _, _, tokens = self._convert([(s.id, s.sequence) for s in batch])
        last = self._model.num_layers
        with torch.no_grad():
            found = self._model(tokens.to(self.device), repr_layers=[last])["representations"]
        places = [np.arange(1, 1 + len(s.sequence or "")) for s in batch]
        return Embedded(mean_over_residues(found[last], places))
