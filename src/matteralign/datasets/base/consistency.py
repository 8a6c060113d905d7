"""What the fields of one record must keep to, whatever its format.

What is wrong is returned as a sentence, None where nothing is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from ase.geometry import minkowski_reduce
from ase.symbols import Symbols
from scipy.spatial import cKDTree

CLOSEST = 0.5
"""Å between two atoms, at least: the shortest bond there is, of H2, has 0.74."""

_THIN = 0.1
"""Å. A lattice with a shorter vector has images of each atom by the million."""


def lowest_multiplicity(electrons: int) -> int:
    """Return the lowest spin multiplicity 2S + 1 that a number of electrons allows."""
    return 1 + electrons % 2


def wrong_state(electrons: int, charge: int, multiplicity: int) -> str | None:
    """Return why electrons cannot have a spin multiplicity.

    Parameters
    ----------
    electrons
        Nuclear charges less the total charge.
    charge
        The total charge in e.
    multiplicity
        2S + 1.
    """
    if electrons < 0:
        return f"a charge of {charge} is impossible: the nuclei have {electrons + charge}"
    if multiplicity < 1 or multiplicity - 1 > electrons or (electrons - multiplicity) % 2 == 0:
        return (
            f"a spin multiplicity of {multiplicity} is impossible for {electrons} electrons"
            f"{f' (charge {charge})' if charge else ''}"
        )
    return None


def other_atoms(
    numbers: Sequence[int] | npt.NDArray[Any], drawn: Sequence[int], periodic: bool = False
) -> str | None:
    """Return why coordinates and a SMILES are not of the same atoms.

    Parameters
    ----------
    numbers
        Atomic numbers of the coordinates.
    drawn
        Those of the SMILES, hydrogens among them.
    periodic
        Whether the coordinates repeat: the cell may then hold the molecule several times.
    """
    counted, wanted = np.bincount(numbers, minlength=119), np.bincount(drawn, minlength=119)
    times = max(len(numbers) // max(len(drawn), 1), 1) if periodic else 1
    if np.array_equal(counted, times * wanted):
        return None
    told = f"coordinates of {formula(numbers)} beside a SMILES of {formula(drawn)}"
    missing = int(wanted[1] - counted[1])
    if missing > 0 and np.array_equal(counted[2:], wanted[2:]):
        s = "" if missing == 1 else "s"
        return f"{told}: {missing} hydrogen{s} without coordinates"
    return told


def formula(numbers: Sequence[int] | npt.NDArray[Any]) -> str:
    """Return the formula of atoms in Hill's order."""
    return str(Symbols(np.asarray(numbers, np.int64)).get_chemical_formula("hill"))


def too_close(
    positions: npt.NDArray[np.float64],
    cell: npt.NDArray[np.float64] | None = None,
    pbc: npt.NDArray[np.bool_] | None = None,
) -> str | None:
    """Return which two atoms are closer than `CLOSEST`; parameters as of `closest_pair`."""
    found = closest_pair(positions, cell, pbc)
    if found is None:
        return None
    first, second, distance = found
    if first == second:
        return f"atom {first} is {distance:.3f} Å from its own image, closer than {CLOSEST} Å"
    return f"atoms {first} and {second} are {distance:.3f} Å apart, closer than {CLOSEST} Å"


def closest_pair(
    positions: npt.NDArray[np.float64],
    cell: npt.NDArray[np.float64] | None = None,
    pbc: npt.NDArray[np.bool_] | None = None,
    within: float = CLOSEST,
) -> tuple[int, int, float] | None:
    """Return the two closest atoms and their distance in Å, images of a cell among them.

    Parameters
    ----------
    positions
        In Å, shape (n, 3), finite.
    cell
        Vectors in Å as rows, shape (3, 3), of which the periodic ones are independent.
    pbc
        Which are periodic, shape (3,).
    within
        None is returned where no two are closer than this, in Å.
    """
    points = np.asarray(positions, np.float64)
    count = len(points)
    origins = np.arange(count)
    if count and cell is not None and pbc is not None and np.any(pbc):
        points, origins, image = _with_images(points, cell, np.asarray(pbc, bool), within)
        if image < min(within, _THIN):
            return 0, 0, image
    if len(points) < 2:
        return None
    # Points in one place are no work for a tree.
    unique, first, back = np.unique(points, axis=0, return_index=True, return_inverse=True)
    if len(unique) < len(points):
        earlier = first[back.ravel()]
        second = int(np.flatnonzero(earlier != np.arange(len(points)))[0])
        one, other = sorted((int(origins[earlier[second]]), int(origins[second])))
        return one, other, 0.0
    distances, nearest = cKDTree(points).query(points[:count], k=2)
    row = int(np.argmin(distances[:, 1]))
    if distances[row, 1] >= within:
        return None
    one, other = sorted((int(origins[row]), int(origins[nearest[row, 1]])))
    return one, other, float(distances[row, 1])


def _with_images(
    points: npt.NDArray[np.float64],
    cell: npt.NDArray[np.float64],
    pbc: npt.NDArray[np.bool_],
    within: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], float]:
    """Return the atoms of a cell, images near enough to matter, of which each is, and a length.

    The length is the shortest of the lattice.
    """
    reduced, _ = minkowski_reduce(cell, pbc)
    vectors = reduced[pbc]
    shortest = float(np.linalg.norm(vectors, axis=1).min())
    if shortest < min(within, _THIN):
        return points, np.arange(len(points)), shortest
    fractions_of = np.linalg.pinv(vectors)
    inside = points - np.floor(points @ fractions_of) @ vectors
    fractions = inside @ fractions_of
    # 1 over the distance between the planes of a lattice: with reduced vectors never large.
    margins = within * np.linalg.norm(fractions_of, axis=0)
    turns, origins = np.zeros_like(fractions), np.arange(len(points))
    for axis, margin in enumerate(margins):
        # Images along one axis of all that was found along those before it, after it.
        step = np.eye(len(margins))[axis]
        found, whose = [turns], [origins]
        most = int(margin) + 1
        for turn in (*range(-most, 0), *range(1, most + 1)):
            moved = fractions[origins, axis] + turn
            near = (moved > -margin) & (moved < 1 + margin)
            found.append(turns[near] + turn * step)
            whose.append(origins[near])
        turns, origins = np.concatenate(found), np.concatenate(whose)
    return inside[origins] + turns @ vectors, origins, shortest
