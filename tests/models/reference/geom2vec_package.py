"""torch-geometric's ViSNet on one molecule after another, its edges from ASE."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ase.neighborlist import neighbor_list
from torch_geometric.nn.models.visnet import ViSNetBlock

from matteralign.models.base.wrapper import Wrapper
from matteralign.models.contract.contract import relative_deviation
from matteralign.models.families.atoms.geom2vec import NearestEdges
from matteralign.models.inputs.atoms import to_atoms
from matteralign.models.inputs.placement import placed
from matteralign.store.structures import Structure


def deviations(wrapper: Wrapper, path: Path, structures: list[Structure]) -> dict[str, float]:
    """Return how far the wrapper's batch is from the package's own results."""
    structures = [placed(s, wrapper.card) for s in structures]
    batch = wrapper.embed(structures)
    state = {
        name.removeprefix("representation_model."): value
        for name, value in torch.load(path, map_location="cpu", weights_only=True).items()
        if name.startswith("representation_model.")
    }
    layers = 1 + max(int(n.split(".")[1]) for n in state if n.startswith("vis_mp_layers."))
    model = ViSNetBlock(
        vecnorm_type="max_min", trainable_vecnorm=True, num_layers=layers, num_rbf=64,
        hidden_channels=state["embedding.weight"].shape[1], cutoff=7.5,
    ).eval()  # fmt: skip
    model.load_state_dict(state)
    latents = [_one(model, s) for s in structures]
    crystal = replace(structures[0], cell=np.eye(3) * 9, pbc=np.ones(3, bool))
    assert wrapper.refuse(crystal).code == "geometry"
    return {"latent": relative_deviation(np.stack(latents), batch.latents), **_crowd()}


def _one(model: torch.nn.Module, structure: Structure) -> np.ndarray:
    atoms = to_atoms(structure)
    target, source, vector = neighbor_list("ijD", atoms, 7.5, self_interaction=False)
    loops = np.arange(len(atoms))
    edges = np.stack([np.concatenate([source, loops]), np.concatenate([target, loops])])
    vectors = np.concatenate([vector, np.zeros((len(atoms), 3))]).astype(np.float32)
    given = (torch.tensor(edges), torch.tensor(vectors).norm(dim=-1), torch.tensor(vectors))
    model.distance = _Given(given)
    numbers = torch.tensor(atoms.numbers)
    with torch.no_grad():
        nodes, _ = model(numbers, torch.zeros(len(atoms), 3), torch.zeros_like(numbers))
    return nodes.numpy().mean(axis=0)


class _Given(torch.nn.Module):
    def __init__(self, edges: tuple[torch.Tensor, ...]) -> None:
        super().__init__()
        self.edges = edges

    def forward(self, *_: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.edges


def _crowd() -> dict[str, float]:
    """Compare the edges of a crowd of points with a sort of all distances."""
    points = torch.rand(60, 3, generator=torch.Generator().manual_seed(0)) * 10
    edges, lengths, _ = NearestEdges(6.0, 8)(points, torch.zeros(60, dtype=torch.long))
    distances = torch.cdist(points.double(), points.double())
    expected = {
        (int(j), i) for i in range(60) for j in distances[i].argsort()[:8] if distances[i, j] < 6.0
    }
    wrong = expected ^ {(int(j), int(i)) for j, i in edges.T}
    apart = (lengths - distances[edges[0], edges[1]].float()).abs().max()
    return {"edges": float(len(wrong)), "lengths": float(apart)}
