from __future__ import annotations

import pytest
from ase.build import bulk, molecule
from ase.db import connect
from ase_db_backends.aselmdb import LMDBDatabase
from biotite.structure.io.pdb import PDBFile

from matteralign.datasets.examples import chains
from tests.datasets.chain_files import write_chains
from tests.serving import server

__all__ = ["server"]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("proteins")
    atoms = write_chains(folder / "1abc.cif", chains()[:1])
    file = PDBFile()
    file.set_structure(atoms)
    file.write(str(folder / "1abc.pdb"))
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("databases")
    rows = [molecule("H2O"), bulk("Cu")]
    for suffix in (".db", ".json"):
        with connect(folder / f"a{suffix}", use_lock_file=False) as database:
            for number, atoms in enumerate(rows):
                database.write(atoms, name=f"r{number}")
    with LMDBDatabase(folder / "a.aselmdb", use_lock_file=False) as database:
        for number, atoms in enumerate(rows):
            database.write(atoms, key_value_pairs={"name": f"r{number}"})
    (folder / "a.aselmdb-lock").unlink()
    return {path.suffix: path.read_bytes() for path in folder.iterdir()}
