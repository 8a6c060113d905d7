"""OCPCalculator on each structure by itself; closed forms of the functions on indices."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fairchem.core import OCPCalculator

from matteralign.models.architectures.fairchem1 import checkpoint_of
from matteralign.models.base.torch_setup import quiet_logging
from matteralign.models.base.wrapper import Wrapper
from matteralign.models.contract.contract import relative_deviation
from matteralign.models.inputs.atoms import to_atoms
from matteralign.models.inputs.scatter import broadcast, scatter, segment_coo, segment_csr
from matteralign.store.structures import Structure


def deviations(wrapper: Wrapper, path: Path, structures: list[Structure]) -> dict[str, float]:
    """Return how far the wrapper's batch is from the package's own results."""
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    batch = wrapper.embed(structures)
    with quiet_logging():
        calculator = _calculator(wrapper, path)
    single = [_one(calculator, s) for s in structures]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    atoms = np.array([s.n_atoms for s in structures])
    energies = np.array([energy for _, energy in single])
    far = replace(structures[0], numbers=np.array([2, 2], np.uint8), positions=np.eye(3)[:2] * 40)
    assert wrapper.refuse(far).code == "geometry"
    assert wrapper.refuse(replace(far, positions=far.positions / 40)) is None
    return {
        "latent": relative_deviation(np.stack([latent for latent, _ in single]), batch.latents),
        "energy": float((np.abs(energies - batch.energies) / atoms).max()),
        **_scatter(),
    }


def _calculator(wrapper: Wrapper, path: Path) -> Any:
    stand_in = wrapper.card.checkpoint.stand_in
    if "names" not in stand_in.options:
        return OCPCalculator(checkpoint_path=path, cpu=True, seed=1)
    # The package cannot read the old names: the same network is saved under the new ones.
    try:
        OCPCalculator(checkpoint_path=path, cpu=True, seed=1)
    except TypeError:  # flags that the new backbone does not have
        options = {k: v for k, v in stand_in.options.items() if k != "names"}
        with tempfile.TemporaryDirectory() as folder:
            renamed = Path(folder) / "new.pt"
            torch.save(checkpoint_of(options, stand_in.seed), renamed)
            return OCPCalculator(checkpoint_path=renamed, cpu=True, seed=1)
    raise AssertionError("the package reads the old names: the repair is not needed")


def _one(calculator: Any, structure: Structure) -> tuple[np.ndarray, float]:
    atoms = to_atoms(structure)
    if not atoms.pbc.any():
        atoms.center(vacuum=15.0)
        atoms.pbc = True
    seen: list[Any] = []
    hook = calculator.trainer._unwrapped_model.backbone.register_forward_hook(
        lambda module, inputs, output: seen.append(output["node_embedding"])
    )
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    hook.remove()
    nodes = getattr(seen[0], "embedding", seen[0])
    return nodes[:, 0].detach().numpy().mean(axis=0), energy


def _scatter() -> dict[str, float]:
    rng = torch.Generator().manual_seed(0)
    source = torch.rand(7, 3, generator=rng) - 0.5
    index = torch.tensor([0, 0, 1, 1, 1, 4, 4])
    groups = [source[index == row] for row in range(5)]
    closed = {
        "sum": [g.sum(0) for g in groups],
        "mean": [g.mean(0) if len(g) else torch.zeros(3) for g in groups],
        "min": [g.amin(0) if len(g) else torch.zeros(3) for g in groups],
        "max": [g.amax(0) if len(g) else torch.zeros(3) for g in groups],
        "mul": [g.prod(0) if len(g) else torch.zeros(3) for g in groups],
    }
    pointers = torch.tensor([0, 2, 5, 5, 5, 7])
    found = {}
    for reduce, rows in closed.items():
        expected = torch.stack(rows)
        made = [
            scatter(source, index, dim=0, reduce=reduce),
            scatter(source.T, index, dim_size=5, reduce=reduce).T,
            segment_coo(source, index, dim_size=5, reduce=reduce),
            segment_csr(source, pointers, reduce=reduce),
        ]
        found[reduce] = max(float((m - expected).abs().max()) for m in made)
    start = torch.ones(5, 3)
    added = scatter(source, index, dim=0, out=start.clone())
    found["out"] = float((added - start.index_add(0, index, source)).abs().max())
    wide = broadcast(index, source, 0)
    found["broadcast"] = float((wide != index[:, None]).sum() + (wide.shape != source.shape))
    return found
