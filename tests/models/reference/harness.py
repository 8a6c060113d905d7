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

from matteralign.datasets.examples import crystals
from matteralign.models.base.torch_setup import prepare_environment, release_memory
from matteralign.models.contract.clauses import relative_deviation
from matteralign.models.running.loading import load_wrapper
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure, read_structures

Reference = Callable[[ModelCard, dict[str, Path], Structure], tuple[np.ndarray, float | None]]


def compare(setup: Callable[[ModelCard, dict[str, Path]], Any], one: Any) -> None:
    """Run each card's wrapper on a batch and `one` on each structure; print JSON by card."""
    job = json.loads(Path(sys.argv[1]).read_text())
    prepare_environment(2, Path(tempfile.mkdtemp()))
    given = [*read_structures(job["structures"]).structures, *crystals()]
    report = {}
    for raw, named in zip(job["cards"], job["files"], strict=True):
        card = ModelCard.model_validate(raw)
        files = {name: Path(path) for name, path in named.items()}
        report[card.key] = _compare(card, files, given, setup, one)
        release_memory()
    print(json.dumps(report))


def _compare(
    card: ModelCard, files: dict[str, Path], given: Sequence[Structure], setup: Any, one: Any
) -> dict[str, Any]:
    wrapper = load_wrapper(card, files, "cpu", 2)
    structures = [s for s in given if wrapper.refuse(s) is None]
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
    return report
