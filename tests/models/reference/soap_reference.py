"""DScribe's uncompressed power spectrum, its blocks of element pairs summed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from dscribe.descriptors import SOAP
from harness import compare

from matteralign.models.inputs.atoms import to_atoms
from matteralign.registry.card import ModelCard
from matteralign.store.structures import Structure

N, L = 8, 6


def setup(card: ModelCard, files: dict[str, Path]) -> Any:
    return None


def summed(soap: SOAP, rows: np.ndarray, species: list[str], weights: dict[str, float]) -> Any:
    """Return the (n, n') spectrum of the weighted density, n ≤ n', l slowest."""
    total = np.zeros((len(rows), L + 1, N, N))
    for i, first in enumerate(species):
        for second in species[i:]:
            block = rows[:, soap.get_location((first, second))]
            full = np.zeros((len(rows), L + 1, N, N))
            if first == second:
                upper = np.triu_indices(N)
                full[:, :, upper[0], upper[1]] = block.reshape(len(rows), L + 1, -1)
                full = full + np.triu(full, 1).swapaxes(2, 3)
            else:
                full[:] = block.reshape(full.shape)
                full = full + full.swapaxes(2, 3)
            total += weights[first] * weights[second] * full
    upper = np.triu_indices(N)
    return total[:, :, upper[0], upper[1]].reshape(len(rows), -1)


def one(package: Any, structure: Structure) -> tuple[np.ndarray, None]:
    atoms = to_atoms(structure)
    species = sorted(set(atoms.get_chemical_symbols()), key=atomic_numbers.get)
    soap = SOAP(
        species=species, periodic=structure.periodic, r_cut=5.0, n_max=N, l_max=L, sigma=0.5,
    )  # fmt: skip
    rows = soap.create(atoms)
    parts = [
        summed(soap, rows, species, weights)
        for weights in (dict.fromkeys(species, 1.0), {s: float(atomic_numbers[s]) for s in species})
    ]
    parts = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    return np.concatenate(parts, axis=1).mean(axis=0), None


compare(setup, one)
