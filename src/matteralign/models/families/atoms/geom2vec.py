"""Geom2Vec's ViSNet through torch-geometric, which ships the same network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch_geometric.nn.models.visnet import ViSNetBlock

from matteralign.core.errors import IntegrityError, UserError
from matteralign.models.base.checks import Refusal
from matteralign.models.base.pooling import segment_mean
from matteralign.models.base.torch_setup import count_parameters
from matteralign.models.base.wrapper import Embedded, Wrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

# The authors' file holds the pretraining head as well; the representation has this prefix.
PREFIX = "representation_model."


def visnet(channels: int, layers: int, radial: int, cutoff: float) -> torch.nn.Module:
    """Return an untrained network as Geom2Vec makes it: degree 1, vectors scaled by max and min."""
    return ViSNetBlock(
        lmax=1,
        vecnorm_type="max_min",
        trainable_vecnorm=True,
        num_heads=8,
        num_layers=layers,
        hidden_channels=channels,
        num_rbf=radial,
        cutoff=cutoff,
    )


class NearestEdges(torch.nn.Module):  # type: ignore[misc]
    """Edges between each atom and its nearest ones, itself among them.

    Takes the place of the network's own, which needs a compiled package and keeps the first
    neighbours in the order of the file, where this keeps the nearest.

    Parameters
    ----------
    cutoff
        In Å.
    neighbors
        The most an atom has, itself included.
    """

    def __init__(self, cutoff: float, neighbors: int) -> None:
        super().__init__()
        self.cutoff, self.neighbors = cutoff, neighbors

    def forward(
        self, positions: torch.Tensor, batch: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return source and target (2, E), lengths (E,) and vectors (E, 3) in Å."""
        sources, targets = [], []
        start = 0
        for count in torch.bincount(batch).tolist():
            inside = positions[start : start + count]
            # Differences, not products: an atom is at distance 0 of itself, and of no other.
            distances = torch.linalg.norm(inside[:, None] - inside[None], dim=-1)
            near, index = distances.topk(min(self.neighbors, count), largest=False)
            target, place = torch.nonzero(near < self.cutoff, as_tuple=True)
            sources.append(index[target, place] + start)
            targets.append(target + start)
            start += count
        edges = torch.stack([torch.cat(sources), torch.cat(targets)])
        vectors = positions[edges[0]] - positions[edges[1]]
        return edges, torch.linalg.norm(vectors, dim=-1), vectors


class Geom2VecWrapper(Wrapper):
    """Scalar node features of the pretrained representation, after its last norm.

    Channels, layers and radial functions are those of the file. The network knows no
    periodicity.

    Options
    -------
    cutoff
        In Å; the file's first radial centre, exp(−cutoff), must agree.
    neighbors
        The nearest atoms that each atom sees, itself included.
    """

    family: ClassVar[str] = "geom2vec"
    options_known: ClassVar[Mapping[str, Any]] = {"cutoff": 7.5, "neighbors": 32}

    def __init__(self, card: ModelCard, files: Mapping[str, Path], device: str) -> None:
        super().__init__(card, files, device)
        path, cutoff = self.file(), float(self.options["cutoff"])
        found = torch.load(path, map_location="cpu", weights_only=True)
        state = {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}
        if "distance_expansion.means" not in state:
            raise IntegrityError(f"{path}: holds no ViSNet of Geom2Vec ({PREFIX}…)")
        centre = float(state["distance_expansion.means"][0])
        if not math.isclose(centre, math.exp(-cutoff), rel_tol=1e-3):
            raise UserError(
                f"card {card.key}: option cutoff is {cutoff:g} Å, the file was trained with "
                f"{-math.log(centre):g} Å"
            )
        layers = {key.split(".")[1] for key in state if key.startswith("vis_mp_layers.")}
        _, channels = state["embedding.weight"].shape
        radial = len(state["distance_expansion.means"])
        model = visnet(channels, len(layers), radial, cutoff)
        model.load_state_dict(state)
        model.distance = NearestEdges(cutoff, int(self.options["neighbors"]))
        self._model = model.to(device).eval()

    def n_parameters(self) -> int:
        return count_parameters(self._model)

    def packages(self) -> list[str]:
        return ["numpy", "torch", "torch-geometric"]

    def refuse_more(self, structure: Structure) -> Refusal | None:
        if structure.periodic:
            return Refusal("geometry", "Geom2Vec knows molecules only, no periodic cells")
        return None

    def embed(self, batch: Sequence[Structure]) -> Embedded:
        counts = [s.n_atoms for s in batch]
        numbers = torch.from_numpy(np.concatenate([s.numbers for s in batch]).astype(np.int64))
        positions = torch.from_numpy(
            np.concatenate([s.positions for s in batch]).astype(np.float32)
        )
        index = torch.repeat_interleave(torch.arange(len(batch)), torch.tensor(counts))
        with torch.no_grad():
            nodes, _ = self._model(*(t.to(self.device) for t in (numbers, positions, index)))
        return Embedded(segment_mean(nodes.cpu().numpy(), counts))
