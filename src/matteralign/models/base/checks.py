"""Structures that no model of a kind can take, and the reason given for each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from matteralign.registry.card import Accepts
from matteralign.store.structures import Structure

CLOSEST = 0.1
"""Two atoms nearer than this, in Å, are a broken record and not chemistry."""

_BLOCK = 512


class Refusal(NamedTuple):
    """Why a structure is masked: a short code and one sentence."""

    code: str
    reason: str


def refuse_common(structure: Structure, accepts: Accepts) -> Refusal | None:
    """Return the first reason not to give `structure` to a model that `accepts` describes.

    Order: empty, SMILES or SELFIES, elements, size, coordinates; for a protein chain empty,
    size, backbone.
    """
    if accepts.needs == "nothing":
        return None
    if accepts.needs in ("sequence", "backbone"):
        return refuse_chain(structure, accepts)
    if structure.n_atoms == 0:
        return Refusal("empty", "the structure has no atoms")
    if accepts.needs in ("smiles", "selfies"):
        found = refuse_smiles(structure.smiles)
        if found:
            return found
        if accepts.needs == "selfies" and not structure.selfies:
            return Refusal("selfies", "the structure has no SELFIES")
    allowed = accepts.element_set()
    if allowed is not None:
        missing = sorted({int(z) for z in structure.numbers} - allowed)
        if missing:
            from ase.data import chemical_symbols  # slow to import, and seldom needed

            known = dict(enumerate(chemical_symbols))
            names = ", ".join(f"{known.get(z, '?')} ({z})" for z in missing)
            return Refusal("element", f"the model does not know the element {names}")
    if accepts.max_atoms is not None and structure.n_atoms > accepts.max_atoms:
        return Refusal(
            "size", f"{structure.n_atoms} atoms, the model takes at most {accepts.max_atoms}"
        )
    if accepts.needs == "positions":
        return refuse_geometry(structure)
    return None


def refuse_smiles(smiles: str | None) -> Refusal | None:
    """Refuse a SMILES that is missing, empty or not one that RDKit can read."""
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    if smiles is None:
        return Refusal("smiles", "the structure has no SMILES")
    with BlockLogs():  # RDKit prints its findings; the reason below replaces them
        molecule: Chem.Mol | None = Chem.MolFromSmiles(smiles)
    if molecule is None:
        return Refusal("smiles", f"RDKit cannot read the SMILES {smiles!r}")
    if molecule.GetNumAtoms() == 0:
        return Refusal("empty", "the SMILES has no atoms")
    return None


def refuse_chain(structure: Structure, accepts: Accepts) -> Refusal | None:
    """Refuse a protein chain that is missing, empty, too long or without usable coordinates.

    Residues without coordinates are no reason: models are told which they are. A chain with
    none at all is.
    """
    if structure.sequence is None:
        return Refusal("sequence", "the structure has no protein sequence")
    length = len(structure.sequence)
    if length == 0:
        return Refusal("empty", "the protein sequence has no residues")
    if accepts.max_residues is not None and length > accepts.max_residues:
        return Refusal("size", f"{length} residues, the model takes at most {accepts.max_residues}")
    if accepts.needs == "sequence":
        return None
    if structure.backbone is None:
        return Refusal("backbone", "the structure has no backbone coordinates")
    if structure.backbone.shape != (length, 4, 3):
        return Refusal(
            "backbone", f"{length} residues but a backbone of shape {structure.backbone.shape}"
        )
    if np.isinf(structure.backbone).any():
        return Refusal("backbone", "the backbone has an infinite coordinate")
    if not np.isfinite(structure.backbone[:, :3]).all(axis=(1, 2)).any():
        return Refusal("backbone", "no residue has its N, CA and C atoms resolved")
    return None


def refuse_geometry(structure: Structure) -> Refusal | None:
    """Refuse coordinates or cells that describe no arrangement of atoms in space."""
    if structure.positions.shape != (structure.n_atoms, 3):
        return Refusal(
            "geometry",
            f"{structure.n_atoms} atoms but coordinates of shape {structure.positions.shape}",
        )
    if not np.isfinite(structure.positions).all():
        atom = int(np.flatnonzero(~np.isfinite(structure.positions).all(axis=1))[0])
        return Refusal("geometry", f"atom {atom} has a coordinate that is not finite")
    if structure.periodic:
        if structure.cell is None or not np.isfinite(structure.cell).all():
            return Refusal("geometry", "the structure is periodic but has no finite cell")
        if periodic_measure(structure) < 1e-6:
            return Refusal("geometry", "the periodic cell has no volume")
    for first, second, distance in _close_pairs(structure):
        return Refusal(
            "geometry",
            f"atoms {first} and {second} are {distance:.3f} Å apart, closer than {CLOSEST} Å",
        )
    return None


def periodic_measure(structure: Structure) -> float:
    """Return length, area or volume spanned by the periodic cell vectors (Å, Å², Å³)."""
    assert structure.cell is not None and structure.pbc is not None
    vectors = structure.cell[structure.pbc]
    gram = vectors @ vectors.T
    return float(np.sqrt(max(np.linalg.det(gram), 0.0)))


def nearest_distances(structure: Structure) -> npt.NDArray[np.float64]:
    """Return each atom's distance to the nearest other atom in Å, shape (n,).

    Periodic images count through the nearest-image rule, which is exact for distances
    below half the cell's height; inf for a lone atom.
    """
    if structure.n_atoms < 2:
        return np.full(structure.n_atoms, np.inf)
    return np.concatenate([d.min(axis=1) for _, d in distance_blocks(structure)])


def _close_pairs(structure: Structure) -> Iterator[tuple[int, int, float]]:
    for start, distances in distance_blocks(structure):
        rows, columns = np.nonzero(distances < CLOSEST)
        for row, column in zip(rows, columns, strict=True):
            yield start + int(row), int(column), float(distances[row, column])


@lru_cache(maxsize=1)
def _all_distances(structure: Structure) -> npt.NDArray[np.float64]:
    """Return the only block of a small structure: checks and sizes ask for it in turn."""
    ((_, distances),) = _distance_blocks(structure)
    distances.flags.writeable = False
    return distances


def distance_blocks(structure: Structure) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    """Yield the first atom of a block of rows and its distances to all atoms in Å, inf to itself.

    Periodic images count through the nearest-image rule. The arrays are not to be written to.
    """
    if 0 < structure.n_atoms <= _BLOCK:
        yield 0, _all_distances(structure)
    else:
        yield from _distance_blocks(structure)


def _distance_blocks(structure: Structure) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
    positions = np.asarray(structure.positions, np.float64)
    inverse = None
    if structure.periodic and structure.cell is not None and structure.pbc is not None:
        vectors = structure.cell[structure.pbc]
        # The pseudoinverse of independent rows, without the cost of singular values.
        inverse = vectors.T @ np.linalg.inv(vectors @ vectors.T)
    for start in range(0, len(positions), _BLOCK):
        difference = positions[start : start + _BLOCK, None, :] - positions[None, :, :]
        if inverse is not None:
            difference -= np.round(difference @ inverse) @ vectors
        distances = np.sqrt(np.einsum("ijk,ijk->ij", difference, difference))
        here = np.arange(len(distances))
        distances[here, here + start] = np.inf
        yield start, distances
