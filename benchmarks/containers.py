"""Files as the publishers pack them, written here: what their readers are measured on.

Written once, and kept in the scratch folder for the next run.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tests.datasets.original_qm9 import uncharacterized, xyz

DISTINCT = 20_000
"""Rows of an ``.aselmdb`` that are written; the other files are copies of that one.

A reader finds the same work in a copy: other pages of another file, unpacked and parsed anew.
Rows that differ would take the writer most of an hour.
"""

_PLENTY = 134_000  # the published numbers of QM9 end with 133,885
_MARK = "members.json"


def databases(folder: Path, rows: int, seed: int) -> Path:
    """Write ``.aselmdb`` files of crystals with energy, forces and stress.

    Parameters
    ----------
    folder
        Where they lie, as the cache unpacks an archive.
    rows
        In all files together; up to 20,000 in each.

    Returns
    -------
    Path
        The folder, complete.
    """
    if (folder / _MARK).exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    each = min(rows, DISTINCT)
    first = folder / "data0000.aselmdb"
    _write(first, each, seed)
    names = [first.name]
    for number in range(1, -(-rows // each)):
        names.append(f"data{number:04d}.aselmdb")
        shutil.copyfile(first, folder / names[-1])
    (folder / _MARK).write_text(json.dumps({name: {} for name in names}))
    return folder


def _write(path: Path, rows: int, seed: int) -> None:
    """Write a database with the publishers' library: about 18 atoms a row, as OMat24 has."""
    from ase.build import bulk
    from ase.calculators.singlepoint import SinglePointCalculator
    from ase_db_backends.aselmdb import LMDBDatabase

    rng = np.random.default_rng(seed)
    cells = [bulk("NaCl", "rocksalt", a=5.64), bulk("Cu", cubic=True), bulk("Si")]
    repeats = [(3, 3, 1), (2, 2, 1), (3, 3, 1)]
    with LMDBDatabase(path, use_lock_file=False) as database:
        for number in range(rows):
            kind = number % len(cells)
            atoms = cells[kind] * repeats[kind]
            atoms.positions += rng.normal(scale=0.2, size=(len(atoms), 3))
            results: dict[str, Any] = {
                "energy": float(rng.normal(-5.0 * len(atoms))),
                "forces": rng.normal(size=(len(atoms), 3)),
                "stress": rng.normal(size=6),
            }
            atoms.calc = SinglePointCalculator(atoms, **results)
            database.write(atoms, data={"sid": f"made-{number}"})
    Path(f"{path}-lock").unlink(missing_ok=True)


def original_qm9(folder: Path, tables: Mapping[str, Path], rows: int) -> dict[str, Path]:
    """Write ``dsgdb9nsd.xyz.tar.bz2`` and ``uncharacterized.txt`` from the registry's tables.

    The records are those of the tables, in the form in which the authors published them; the
    3,054 molecules that the tables lack, and every reader leaves out, are listed and missing.

    Parameters
    ----------
    folder
        Where they lie.
    tables
        Paths of the tables by name.
    rows
        The first so many; 0 for all.

    Returns
    -------
    dict
        The two files by name.
    """
    made = {name: folder / name for name in ("dsgdb9nsd.xyz.tar.bz2", "uncharacterized.txt")}
    archive, listed = made.values()
    if listed.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    numbers: set[int] = set()
    with tarfile.open(archive, "w:bz2") as bundle:
        for row in islice(_rows(tables), rows or None):
            numbers.add(int(row["Index"]))
            record = xyz(row)
            info = tarfile.TarInfo(f"dsgdb9nsd_{int(row['Index']):06d}.xyz")
            info.size = len(record)
            bundle.addfile(info, io.BytesIO(record))
    listed.write_bytes(uncharacterized(sorted(set(range(1, _PLENTY)) - numbers)))
    return made


def _rows(tables: Mapping[str, Path]) -> Iterator[dict[str, str]]:
    for path in tables.values():
        with open(path, newline="", encoding="utf-8") as handle:
            yield from csv.DictReader(handle)
