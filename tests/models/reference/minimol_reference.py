"""The package's own class with the weights in its wheel, one SMILES at a time.

`Minimol` returns the largest value over nodes; the node features it takes them from are read
where it pools them, and averaged here. Its pooling of them is checked on the way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from harness import compare

from matteralign.models.inputs.scatter import scatter_in_torch
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

with scatter_in_torch():
    from minimol import Minimol


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    package = Minimol()
    # Its worker processes would not see the functions given in the place of torch_scatter.
    package.datamodule.featurization_n_jobs = 1
    package.datamodule.featurization_backend = "threading"
    seen: list[np.ndarray] = []
    read = package.predictor.get_fingerprints_for_batch

    def keep(batch: Any) -> Any:
        features = read(batch)
        seen.append(features.numpy())
        return features

    package.predictor.get_fingerprints_for_batch = keep
    return package, seen


def one(package: Any, structure: Structure) -> tuple[np.ndarray, None]:
    model, seen = package
    (fingerprint,) = model([structure.smiles])
    np.testing.assert_array_equal(seen[-1].max(axis=0), fingerprint.numpy())
    return seen[-1].mean(axis=0), None


compare(setup, one)
