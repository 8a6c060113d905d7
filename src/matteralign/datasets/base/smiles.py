"""SMILES read and made canonical, and SELFIES."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit import Chem


def canonical_smiles(smiles: str) -> str | None:
    """Return RDKit's canonical SMILES, or None when RDKit cannot read the molecule.

    A structure without a SMILES keeps its row: models that need one mask it with a reason.
    """
    # Imported here: the command line names datasets without reading molecules.
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return None if molecule is None else canonical(molecule)


def canonical(molecule: Chem.Mol, *, stereo: bool = True) -> str:
    """Return the canonical SMILES of a molecule, without the numbers of an atom map.

    A map numbers the atoms of a reaction; the molecule is the same without it.

    Parameters
    ----------
    stereo
        Whether stereocentres and isotopes are written.
    """
    from rdkit import Chem

    if not any(atom.GetAtomMapNum() for atom in molecule.GetAtoms()):
        return str(Chem.MolToSmiles(molecule, isomericSmiles=stereo))
    bare = Chem.Mol(molecule)
    for atom in bare.GetAtoms():
        atom.SetAtomMapNum(0)
    written = str(Chem.MolToSmiles(bare))
    # Atoms that only their numbers told apart are equal now: stereocentres may be none.
    again = Chem.MolFromSmiles(written)
    return str(Chem.MolToSmiles(bare if again is None else again, isomericSmiles=stereo))


def read_smiles(smiles: str) -> Chem.Mol:
    """Return the molecule of a SMILES in which every atom and bond is definite.

    Raises
    ------
    ValueError
        If there is more than a SMILES, RDKit cannot read it, or an atom or a bond is left open.
    """
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    shown = f"{smiles[:80]!r}"
    if len(smiles.split()) != 1:
        # RDKit would take the first word and drop the rest.
        raise ValueError(f"{shown} is not one SMILES: there is a space in it")
    with BlockLogs():
        molecule: Chem.Mol | None = Chem.MolFromSmiles(smiles)
        if molecule is None:
            if smiles.count(">") == 2 and "->" not in smiles:
                raise ValueError(f"{shown} is the SMILES of a reaction, not of a molecule")
            raise ValueError(f"RDKit cannot read the SMILES {shown}{_problem(smiles)}")
    wrong = left_open(molecule)
    if wrong is not None:
        raise ValueError(f"the SMILES {shown} has {wrong}")
    return molecule


def left_open(molecule: Chem.Mol) -> str | None:
    """Describe an atom or bond of a molecule that is not definite; None if all are."""
    for atom in molecule.GetAtoms():
        if atom.HasQuery():
            return f"an atom of several possible elements ({atom.GetSmarts()})"
        if atom.GetAtomicNum() == 0:
            return f"a dummy atom ({atom.GetSymbol()}), which is no element"
    if any(bond.HasQuery() for bond in molecule.GetBonds()):
        return "a bond of no certain order"
    from rdkit.Chem import BondType

    # RDKit keeps the order one and a half where it finds no ring.
    aromatic = (b for b in molecule.GetBonds() if b.GetBondType() == BondType.AROMATIC)
    if any(not bond.GetIsAromatic() for bond in aromatic):
        return "an aromatic bond outside of a ring"
    return None


def atoms_drawn(molecule: Chem.Mol) -> list[int]:
    """Return the atomic numbers of a molecule, of the hydrogens that are not drawn too."""
    numbers = [int(atom.GetAtomicNum()) for atom in molecule.GetAtoms()]
    return numbers + [1] * sum(int(atom.GetTotalNumHs()) for atom in molecule.GetAtoms())


def selfies_of(smiles: str) -> str | None:
    """Return the SELFIES of a SMILES (Krenn et al. 2020), or None when it has none."""
    import selfies

    try:
        return str(selfies.encoder(smiles))
    except (selfies.EncoderError, RecursionError):  # branches in branches, by the thousand
        return None


def _problem(smiles: str) -> str:
    """Return what RDKit finds wrong with the chemistry; nothing where it is the spelling."""
    from rdkit import Chem

    raw = Chem.MolFromSmiles(smiles, sanitize=False)
    problems = [] if raw is None else Chem.DetectChemistryProblems(raw)
    return f": {' '.join(problems[0].Message().split())}" if problems else ""
