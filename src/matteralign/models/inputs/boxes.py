"""Molecules and slabs for networks that know crystals only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from ase import Atoms

from matteralign.store.structures import Structure


def boxed_cell(structure: Structure, vacuum: float) -> npt.NDArray[np.float64]:
    """Return three cell vectors that repeat a structure along every axis.

    A crystal keeps its own. A molecule gets an orthorhombic box, its extent plus `vacuum` along
    each axis; a slab or wire gets such vectors, normal to the periodic ones, where it is free.
    No atom is nearer than `vacuum` to an image that the box made: with a vacuum wider than a
    network's cutoff the network sees none of them.

    Parameters
    ----------
    structure
        With coordinates.
    vacuum
        In Å.

    Returns
    -------
    ndarray
        Cell vectors in Å as rows, shape (3, 3).
    """
    if not structure.periodic or structure.pbc is None or structure.cell is None:
        return np.diag(np.ptp(structure.positions, axis=0) + vacuum)
    cell = np.array(structure.cell, np.float64)
    if structure.pbc.all():
        return cell
    periodic = cell[structure.pbc]
    _, _, basis = np.linalg.svd(periodic)
    for row, normal in zip(np.flatnonzero(~structure.pbc), basis[len(periodic) :], strict=True):
        extent = float(np.ptp(structure.positions @ normal))
        cell[row] = normal * (extent + vacuum)
    return cell


def to_boxed_atoms(structure: Structure, vacuum: float) -> Atoms:
    """Return a new ASE object, periodic along all three vectors of `boxed_cell`."""
    return Atoms(
        numbers=np.array(structure.numbers, np.int64),
        positions=np.array(structure.positions, np.float64),
        cell=boxed_cell(structure, vacuum),
        pbc=True,
    )
