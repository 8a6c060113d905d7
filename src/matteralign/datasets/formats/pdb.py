"""Protein chains of a PDB file, by way of mmCIF."""

from __future__ import annotations

from pathlib import Path

from biotite import InvalidFileError
from biotite.structure import BadStructureError
from biotite.structure.io import pdbx
from biotite.structure.io.pdb import PDBFile

from matteralign.core.errors import IntegrityError
from matteralign.datasets.chains import chains_of
from matteralign.store.structures import Structure


def pdb_chains(path: Path) -> list[Structure]:
    """Return the protein chains of the first model, of alternate locations the fullest.

    The format has no sequence of residues that were not seen: a gap in the numbering is X.

    Raises
    ------
    IntegrityError
        If the file cannot be read.
    """
    try:
        atoms = PDBFile.read(str(path)).get_structure(
            model=1, altloc="occupancy", extra_fields=["occupancy"]
        )
        if not len(atoms):
            raise ValueError("it has no atoms")
        file = pdbx.CIFFile()
        pdbx.set_structure(file, atoms, data_block=path.stem)
    except (
        InvalidFileError, BadStructureError, ValueError, IndexError, KeyError, UnicodeDecodeError,
    ) as error:  # fmt: skip
        raise IntegrityError(f"{path}: not readable as PDB: {error}") from error
    return chains_of(file[path.stem], path)
