"""The same structure elsewhere: turned, shifted, its atoms in another order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from matteralign.store.structures import Structure


def rotated(structure: Structure, rotation: npt.NDArray[np.float64]) -> Structure:
    """Return `structure` turned by a rotation matrix, its cell and backbone with it."""
    cell = None if structure.cell is None else structure.cell @ rotation.T
    backbone = None if structure.backbone is None else structure.backbone @ rotation.T
    positions = structure.positions @ rotation.T
    return replace(structure, positions=positions, cell=cell, backbone=backbone)


def shifted(structure: Structure, by: npt.NDArray[np.float64]) -> Structure:
    """Return `structure` moved by a vector in Å."""
    backbone = None if structure.backbone is None else structure.backbone + by
    return replace(structure, positions=structure.positions + by, backbone=backbone)


def reordered(structure: Structure, seed: int) -> Structure:
    """Return `structure` with its atoms in another order; strings and residues keep theirs."""
    order = np.random.default_rng(seed).permutation(structure.n_atoms)
    return replace(
        structure, numbers=structure.numbers[order], positions=structure.positions[order]
    )


def random_rotation(seed: int) -> npt.NDArray[np.float64]:
    """Return a rotation matrix drawn uniformly (QR of a Gaussian matrix, signs fixed)."""
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q
