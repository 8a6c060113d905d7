"""Canonical SMILES and SELFIES."""

from __future__ import annotations


def canonical_smiles(smiles: str) -> str | None:
    """Return RDKit's canonical SMILES, or None when RDKit cannot read the molecule.

    A structure without a SMILES keeps its row: models that need one mask it with a reason.
    """
    # Imported here: the command line names datasets without reading molecules.
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    return None if molecule is None else str(Chem.MolToSmiles(molecule))


def selfies_of(smiles: str) -> str | None:
    """Return the SELFIES of a SMILES (Krenn et al. 2020), or None when it has none."""
    import selfies

    try:
        return str(selfies.encoder(smiles))
    except (selfies.EncoderError, RecursionError):  # branches in branches, by the thousand
        return None
