"""RDKit's molecules as structures."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from rdkit.rdBase import BlockLogs

from matteralign.datasets.attempt import BadRecordError
from matteralign.datasets.formats.fields import (
    MOST_IN_MOLECULE,
    Fields,
    check_atoms,
    finished,
    wrong_count,
)
from matteralign.datasets.smiles import selfies_of
from matteralign.store.structures import Structure

_SEED = 0xC0FFEE
_MOST_EMBEDDED = 500
"""Atoms, hydrogens too: beyond, ETKDG tries for minutes, mostly in vain."""


def structure_of_molecule(
    molecule: Chem.Mol, fields: Fields, place: str, *, embed: bool, charge_given: bool
) -> Structure:
    """Make a structure of a molecule: with its coordinates if it has three dimensions.

    Parameters
    ----------
    embed
        Whether coordinates are made where there are none: ETKDGv3 with a fixed seed (Wang et
        al., J. Chem. Inf. Model. 2020, 60, 2044), not optimised.
    charge_given
        Whether `fields` has the charge; else it is the sum of formal charges.

    Raises
    ------
    BadRecordError
        If it has no atoms, charges that contradict each other, or cannot be embedded.
    """
    wrong = wrong_count(molecule.GetNumAtoms(), MOST_IN_MOLECULE)
    if wrong is not None:
        raise BadRecordError(wrong)
    smiles = str(Chem.MolToSmiles(Chem.RemoveHs(molecule)))
    formal = int(Chem.GetFormalCharge(molecule))
    if charge_given and formal != fields.charge:
        raise BadRecordError(f"the charge is {fields.charge}, that of its formal charges {formal}")
    three = molecule.GetNumConformers() > 0 and molecule.GetConformer().Is3D()
    positions = np.empty((0, 3))
    if three:
        positions = np.asarray(molecule.GetConformer().GetPositions(), np.float64)
    else:
        molecule = Chem.AddHs(molecule)
        if embed:
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
            charge=formal,
            spin=fields.spin,
            energy=fields.energy,
            split=fields.split,
            source=place,
        )
    )


def _embedded(molecule: Chem.Mol) -> npt.NDArray[np.float64]:
    wrong = wrong_count(molecule.GetNumAtoms(), _MOST_EMBEDDED)
    if wrong is not None:
        raise BadRecordError(f"no coordinates can be made for it: {wrong}")
    parameters: Any = rdDistGeom.ETKDGv3()
    parameters.randomSeed = _SEED
    with BlockLogs():
        conformer = int(rdDistGeom.EmbedMolecule(molecule, parameters))
    if conformer < 0:
        raise BadRecordError("RDKit finds no coordinates for it (ETKDGv3)")
    return np.asarray(molecule.GetConformer().GetPositions(), np.float64)
