"""Shared by the scripts beside it, which run in a model's environment.

A script computes latents and energies structure by structure with the package's own public
functions; `compare` sets them against the wrapper's batch and prints the deviations.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from matteralign.models.clauses import relative_deviation
from matteralign.models.loading import load_wrapper
from matteralign.models.torch_setup import prepare_environment
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure, read_structures

Reference = Callable[[ModelCard, dict[str, Path], Structure], tuple[np.ndarray, float | None]]


def crystals() -> list[Structure]:
    """Return three rattled crystals: silicon, rock salt in a small cell, a copper slab."""
    from ase.build import bulk, fcc111

    slab = fcc111("Cu", (2, 2, 3), vacuum=8.0)
    slab.pbc = True
    rng = np.random.default_rng(0)
    made = []
    for name, atoms in {
        "Si": bulk("Si") * (2, 1, 1),
        "NaCl": bulk("NaCl", "rocksalt", a=5.64),
        "Cu": slab,
    }.items():
        positions = atoms.positions + rng.normal(0, 0.05, atoms.positions.shape)
        made.append(
            Structure(
                name, atoms.numbers.astype(np.uint8), positions,
                np.array(atoms.cell), np.array(atoms.pbc),
            )
        )  # fmt: skip
    return made


def compare(setup: Callable[[ModelCard, dict[str, Path]], Any], one: Any) -> None:
    """Run the wrapper on a batch and `one` on each structure; print JSON."""
    job = json.loads(Path(sys.argv[1]).read_text())
    prepare_environment(2, Path(tempfile.mkdtemp()))
    card = ModelCard.model_validate(job["card"])
    files = {name: Path(path) for name, path in job["files"].items()}
    structures: Sequence[Structure] = read_structures(job["structures"]).structures
    wrapper = load_wrapper(card, files, "cpu", 2)
    structures = [*structures, *crystals()]
    structures = [s for s in structures if wrapper.refuse(s) is None]
    batch = wrapper.embed(structures)
    package = setup(card, files)
    single = [one(package, s) for s in structures]
    latents = np.stack([latent for latent, _ in single])
    report: dict[str, Any] = {
        "n": len(structures),
        "periodic": sum(s.periodic for s in structures),
        "latent": relative_deviation(latents, batch.latents),
        "energy": None,
    }
    if batch.energies is not None:
        energies = np.array([energy for _, energy in single], float)
        atoms = np.array([s.n_atoms for s in structures])
        report["energy"] = float((np.abs(energies - batch.energies) / atoms).max())
    print(json.dumps(report))
