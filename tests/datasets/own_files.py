"""Users' files for tests of damage, and what may come of reading them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from matteralign.core.errors import IntegrityError, UserError
from matteralign.datasets.base.dataset import Skipped
from tests.datasets.test_own import Taken, take

TABLE = {"columns": {"id": "id", "smiles": "smi"}}


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def checked(kind: str, path: Path, **more: Any) -> Taken | str:
    """Read everything; return the rows, or the error's text. Nothing in the folder changes."""
    folder = path if path.is_dir() else path.parent
    before = listing(folder)
    try:
        found = take(kind, path, **more)
    except (UserError, IntegrityError) as error:
        assert path.name in str(error)
        str(error).encode()
        assert listing(folder) == before
        return str(error)
    assert listing(folder) == before
    for name, row in found.items():
        name.encode()
        if isinstance(row, Skipped):
            assert row.place and row.reason
            json.dumps([row.place, row.reason], ensure_ascii=False).encode()
            continue
        assert np.isfinite(row.positions).all()
        assert row.energy is None or np.isfinite(row.energy)
        assert row.n_atoms <= 100_000
        assert row.source is not None
    return found


def frame(**more: str) -> bytes:
    keys = " ".join(f"{key}={value}" for key, value in more.items())
    lattice = 'Lattice="4 0 0 0 4 0 0 0 4"'
    return f"2\n{lattice} Properties=species:S:1:pos:R:3 {keys}\nCu 0 0 0\nCu 2 2 2\n".encode()


MOLECULE = (Chem.MolToMolBlock(Chem.MolFromSmiles("CCO")) + "> <a>\n1\n\n$$$$\n").encode()
CIF = b"""data_x
_cell_length_a 4
_cell_length_b 4
_cell_length_c 4
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_type_symbol
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cu Cu1 0 0 0
Cu Cu2 0.5 0.5 0.5
"""
