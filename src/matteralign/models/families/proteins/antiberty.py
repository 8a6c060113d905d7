"""AntiBERTy, a BERT of antibody sequences, run by transformers."""

from __future__ import annotations

import string
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from matteralign.core.errors import MatterAlignError
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import ChainWrapper, mean_over_residues
from matteralign.models.families.text.pretrained import load_network
from matteralign.models.families.text.text import padded
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


class AntibertyWrapper(ChainWrapper):
    """``last_hidden_state``, averaged over the residues.

    Files: ``config.json``, ``pytorch_model.bin`` (opened with ``weights_only=True``) and
    ``vocab.txt``, one token a line. The vocabulary has the twenty amino acids; every other
    letter is its token [UNK], as the package's tokeniser has it.
    """

    family: ClassVar[str] = "antiberty"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        lines = self.file("vocab.txt").read_text(encoding="utf-8").split()
        self._numbers = {token: number for number, token in enumerate(lines)}
        for token in _SPECIAL:
            if token not in self._numbers:
                raise MatterAlignError(f"{self.file('vocab.txt')}: the vocabulary lacks {token}")
        with tempfile.TemporaryDirectory() as scratch:
            folder = self.folder(Path(scratch))
            self._model: Any = load_network(folder, precision="float32", device=device)

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "transformers"]

    def letters(self) -> frozenset[str]:
        return frozenset(string.ascii_uppercase)

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        pad, unknown, first, last = (self._numbers[token] for token in _SPECIAL)
        rows = [
            [first, *(self._numbers.get(letter, unknown) for letter in s.sequence or ""), last]
            for s in batch
        ]
        ids, mask = padded(rows, pad)
        with torch.no_grad():
            found = self._model(input_ids=ids.to(self.device), attention_mask=mask.to(self.device))
        places = [np.arange(1, len(numbers) - 1) for numbers in rows]
        return Embedded(mean_over_residues(found.last_hidden_state, places))
