"""RDKit's molecules as structures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.rdBase import BlockLogs

from matteralign.config.datasets import OwnDataset
from matteralign.datasets.base.attempt import BadRecordError, blamed
from matteralign.datasets.base.consistency import other_atoms
from matteralign.datasets.base.smiles import atoms_drawn, canonical, left_open, selfies_of
from matteralign.datasets.own.fields import (
    MOST_IN_MOLECULE,
    Fields,
    check_atoms,
    finished,
    readable,
    total_charge,
    wrong_count,
)
from matteralign.store.structures import Structure

_SEED = 0xC0FFEE
_MOST_EMBEDDED = 500
"""Atoms, hydrogens too: beyond, ETKDG tries for minutes, mostly in vain."""


def structure_of_molecule(
    molecule: Chem.Mol, fields: Fields, place: str, config: OwnDataset
) -> Structure:
    """Make a structure of a molecule: with its coordinates if it has three dimensions.

    Parameters
    ----------
    config
        `embed_3d`: coordinates are made where there are none, by ETKDGv3 with a fixed seed (Wang
        et al., J. Chem. Inf. Model. 2020, 60, 2044), not optimised. `add_hydrogens`: hydrogens
        that coordinates lack are placed by RDKit, at ideal lengths and angles.

    Raises
    ------
    BadRecordError
        If it has no atoms or such as stand for no element, fields contradict each other,
        hydrogens lack coordinates, or it cannot be embedded.
    """
    wrong = wrong_count(molecule.GetNumAtoms(), MOST_IN_MOLECULE)
    if wrong is not None:
        raise BadRecordError(wrong)
    wrong = left_open(molecule)
    if wrong is not None:
        raise BadRecordError(f"it has {wrong}")
    smiles = _smiles(Chem.RemoveHs(molecule), fields.smiles)
    charge = total_charge(molecule, fields)
    three = molecule.GetNumConformers() > 0 and molecule.GetConformer().Is3D()
    positions = np.empty((0, 3))
    if three:
        molecule = _with_hydrogens(molecule, add=config.add_hydrogens)
        positions = np.asarray(molecule.GetConformer().GetPositions(), np.float64)
    else:
        molecule = Chem.AddHs(molecule)
        if config.embed_3d:
            positions = _embedded(molecule)
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()], np.int64)
    check_atoms(numbers, positions)
    return finished(
        Structure(
            id=fields.id,
            numbers=numbers.astype(np.uint8),
            positions=positions,
            smiles=smiles,
            selfies=selfies_of(smiles),
            charge=charge,
            energy=fields.energy,
            split=fields.split,
            source=place,
        ),
        fields.spin,
    )


def _smiles(drawn: Chem.Mol, given: str | None) -> str:
    """Return the SMILES that is given, or that of what is drawn; they must be of one molecule."""
    if given is None:
        return canonical(drawn)
    named = readable(given)
    same = canonical(named, stereo=False) == canonical(drawn, stereo=False) and (
        # What one leaves open the other may say.
        drawn.HasSubstructMatch(named, useChirality=True)
        or named.HasSubstructMatch(drawn, useChirality=True)
    )
    if not same:
        raise BadRecordError(
            f"its SMILES is {canonical(named)}, what is drawn is {canonical(drawn)}"
        )
    return canonical(named)


def _with_hydrogens(molecule: Chem.Mol, *, add: bool) -> Chem.Mol:
    """Return a molecule in which every atom has coordinates."""
    there = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    wrong = other_atoms(there, atoms_drawn(molecule))
    if wrong is None:
        return molecule
    if not add:
        raise BadRecordError(
            f"{wrong}; `add_hydrogens: true` places them, a radical is marked by a line M  RAD"
        )
    return Chem.AddHs(molecule, addCoords=True)


def _embedded(molecule: Chem.Mol) -> npt.NDArray[np.float64]:
    wrong = wrong_count(molecule.GetNumAtoms(), _MOST_EMBEDDED)
    if wrong is not None:
        raise BadRecordError(f"no coordinates can be made for it: {wrong}")
    parts = len(Chem.GetMolFrags(molecule))
    if parts > 1:
        # ETKDG embeds each by itself, about the origin: they would lie on one another.
        raise BadRecordError(
            f"no coordinates can be made for it: it has {parts} parts that no bond connects, and "
            "nothing says how they lie to each other"
        )
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = _SEED
    with blamed("RDKit finds no coordinates for it (ETKDGv3)"), BlockLogs():
        conformer = int(rdDistGeom.EmbedMolecule(molecule, parameters))
    if conformer < 0:
        raise BadRecordError("RDKit finds no coordinates for it (ETKDGv3)")
    return np.asarray(molecule.GetConformer().GetPositions(), np.float64)
