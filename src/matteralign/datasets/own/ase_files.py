"""Databases of ASE as files of the user: opened for reading only, looked at before ASE is.

ASE opens what it is given for writing: it makes its tables in whatever SQLite file it finds,
and lock files beside it.
"""

from __future__ import annotations

import sqlite3
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from ase.db.row import AtomsRow
from ase.db.sqlite import SQLite3Database
from ase.io.jsonio import decode

from matteralign.core.errors import IntegrityError, UserError, told
from matteralign.datasets.ase_lmdb.reader import open_database
from matteralign.datasets.base.attempt import BadRecordError
from matteralign.datasets.base.contents import read_contents
from matteralign.datasets.own.fields import wrong_count

LARGEST_ROW = 1 << 26
"""Bytes of a row, unpacked; one of 100,000 atoms with forces has a quarter of them."""

_LARGEST_JSON = 1 << 28  # such a file is one text, read at once


class Rows(ABC):
    """Rows of a database, by number."""

    @abstractmethod
    def numbers(self) -> Sequence[int]:
        """Return the numbers of all rows, in their order."""

    @abstractmethod
    def row(self, number: int) -> Any:
        """Return a row of ASE.

        Raises
        ------
        BadRecordError
            If it is too large.
        """


@contextmanager
def open_rows(path: Path) -> Iterator[Rows]:
    """Open a database by what its name ends with.

    Raises
    ------
    UserError
        If it is no database of ASE, or of a kind that is none of its files.
    IntegrityError
        If it is damaged.
    """
    suffix = path.suffix.lower()
    if suffix == ".aselmdb":
        with closing(open_database(path)) as database:
            yield _Lmdb(database)
    elif suffix == ".json":
        yield _Json(path)
    elif suffix == ".db":
        with _read_only(path) as connection:
            _refuse_foreign(connection, path)
            with _Sqlite(path, connection) as rows:
                yield rows
    else:
        raise UserError(
            f"{path}: ends with {suffix or 'nothing'}; .db, .json and .aselmdb are read"
        )


class _Lmdb(Rows):
    def __init__(self, database: Any) -> None:
        self._database = database

    def numbers(self) -> Sequence[int]:
        found: list[int] = self._database.ids
        return found

    def row(self, number: int) -> Any:
        with self._database.env.begin() as transaction:
            packed = transaction.get(str(number).encode()) or b""
        if len(packed) > LARGEST_ROW // 1024:  # zlib makes a thousandth of its best case
            _refuse_large(len(zlib.decompressobj().decompress(packed, LARGEST_ROW + 1)))
        return self._database.get(id=number)


class _Json(Rows):
    def __init__(self, path: Path) -> None:
        try:
            whole = decode(read_contents(path, _LARGEST_JSON).decode("utf-8"))
            ids = whole.get("ids") if isinstance(whole, dict) else None
            if not isinstance(ids, list | np.ndarray):
                raise UserError(f"{path}: JSON, but no database of ASE: it has no ids")
            self._numbers = [int(number) for number in ids]
        except (ValueError, TypeError, RecursionError) as error:
            raise IntegrityError(f"{path}: not readable as JSON: {told(error)}") from error
        self._whole = whole

    def numbers(self) -> Sequence[int]:
        return self._numbers

    def row(self, number: int) -> Any:
        # As ASE's own reader makes it, which parses the file anew for each row.
        return AtomsRow({**self._whole[number], "id": number})


class _Sqlite(Rows):
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._database = SQLite3Database(str(path), create_indices=False, use_lock_file=False)
        # ASE's own way to keep a connection; its `connect` would open for writing.
        self._database.connection = connection
        self._database.change_count = 0

    def __enter__(self) -> _Sqlite:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.connection = None

    def numbers(self) -> Sequence[int]:
        rows = self._connection.execute("SELECT id FROM systems ORDER BY id")
        return [number for (number,) in rows]

    def row(self, number: int) -> Any:
        found = self._connection.execute(
            "SELECT natoms, length(numbers), length(data), length(key_value_pairs) FROM systems "
            "WHERE id = ?",
            (number,),
        ).fetchone()
        if found is None:
            raise KeyError(f"no row {number}")
        atoms, *sizes = found
        if isinstance(atoms, int):
            wrong = wrong_count(max(atoms, (sizes[0] or 0) // 4))
            if wrong is not None:
                raise BadRecordError(wrong)
        _refuse_large(max(size or 0 for size in sizes))
        return self._database.get(id=number)


@contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    for journal in (Path(f"{path}-wal"), Path(f"{path}-journal")):
        if journal.exists() and journal.stat().st_size:
            raise UserError(
                f"{path}: {journal.name} beside it holds rows that are not in it yet; let the "
                "program that writes it end"
            )
    # Immutable: nothing is locked, and no journal is made beside the file.
    with closing(
        sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
    ) as connection:
        yield connection


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if "systems" not in names:
        raise UserError(f"{path}: SQLite, but no database of ASE: it has no table systems")


def _refuse_large(size: int) -> None:
    if size > LARGEST_ROW:
        raise BadRecordError(f"more than {LARGEST_ROW:,} bytes, too many to be read")
