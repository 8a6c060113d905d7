"""Protein chains of a PDB file, by way of mmCIF."""

from __future__ import annotations

import io
from pathlib import Path

from biotite import InvalidFileError
from biotite.structure import BadStructureError
from biotite.structure.io import pdbx
from biotite.structure.io.pdb import PDBFile

from matteralign.core.errors import IntegrityError
from matteralign.datasets.chains import chains_of
from matteralign.datasets.contents import read_contents
from matteralign.store.structures import Structure


def pdb_chains(path: Path, largest: int) -> list[Structure]:
    """Return the protein chains of the first model, of alternate locations the fullest.

    The format has no sequence of residues that were not seen: a gap in the numbering is X.

    Parameters
    ----------
    largest
        Bytes of the largest file that is read, unpacked.

    Raises
    ------
    IntegrityError
        If the file cannot be read.
    """
    # As many programs name them: pdb1abc.ent.gz.
    entry = path.name.split(".")[0]
    try:
        text = io.StringIO(read_contents(path, largest).decode("utf-8"))
        atoms = PDBFile.read(text).get_structure(
            model=1, altloc="occupancy", extra_fields=["occupancy"]
        )
        if not len(atoms):
            raise ValueError("it has no atoms")
        file = pdbx.CIFFile()
        pdbx.set_structure(file, atoms, data_block=entry)
    except (
        InvalidFileError, BadStructureError, ValueError, IndexError, KeyError, UnicodeDecodeError,
    ) as error:  # fmt: skip
        raise IntegrityError(f"{path}: not readable as PDB: {error}") from error
    return chains_of(file[entry], path)
