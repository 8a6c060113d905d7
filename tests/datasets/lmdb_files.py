"""``.aselmdb`` databases in ``.tar.gz``, written by the library that their publishers used."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from ase_db_backends.aselmdb import LMDBDatabase


def write(path: Path, records: Iterable[tuple[Atoms, Mapping[str, Any]]]) -> bytes:
    """Write a database and return its bytes."""
    path.unlink(missing_ok=True)
    with LMDBDatabase(path, use_lock_file=False) as database:
        for atoms, data in records:
            database.write(atoms, data=dict(data))
    return path.read_bytes()


def calculated(atoms: Atoms, energy: float, forces: bool = True) -> Atoms:
    """Attach results as a calculation leaves them."""
    results: dict[str, Any] = {"energy": energy}
    if forces:
        results["forces"] = np.full((len(atoms), 3), 0.25)
    atoms.calc = SinglePointCalculator(atoms, **results)
    return atoms


def crystals(n: int, seed: int) -> list[tuple[Atoms, Mapping[str, Any]]]:
    """Return rattled crystals as OMat24 and sAlex hold them."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        atoms = bulk("NaCl", "rocksalt", a=5.6) if i % 2 else bulk("Cu", cubic=True)
        atoms.positions += rng.normal(scale=0.1, size=(len(atoms), 3))
        made.append((calculated(atoms, -3.5 * len(atoms) - i, forces=i % 3 > 0), {"source": "x"}))
    return made


def molecules() -> list[tuple[Atoms, Mapping[str, Any]]]:
    """Return molecules as OMol25 holds them: charge and spin multiplicity in the data."""
    states = [
        ("H2O", 0, 1),
        ("NO", 0, 2),
        ("O2", 0, 3),
        ("NH3", 1, 2),
        ("OH", -1, 1),
        ("CH4", 0, 1),
    ]
    return [
        (calculated(molecule(name), -1000.0 - i), {"charge": charge, "spin": spin})
        for i, (name, charge, spin) in enumerate(states)
    ]


def tar_gz(members: Mapping[str, bytes]) -> bytes:
    """Return an archive as the publishers pack it, with folders and a lock file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as bundle:
        for folder in {str(Path(name).parent) for name in members} - {"."}:
            info = tarfile.TarInfo(folder)
            info.type = tarfile.DIRTYPE
            bundle.addfile(info)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            bundle.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
