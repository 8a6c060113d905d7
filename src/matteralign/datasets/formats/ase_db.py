"""An ASE database, read by row: SQLite, JSON, or LMDB as ``.aselmdb``."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

import lmdb

from matteralign.core.errors import IntegrityError, told
from matteralign.datasets.formats.ase_files import Rows, open_rows
from matteralign.datasets.formats.fields import read_fields, record_id, structure_of, wrong_count
from matteralign.datasets.own import BadRecordError, Format, Record, unread
from matteralign.store.structures import Structure

_DAMAGE = (
    ValueError, KeyError, IndexError, TypeError, AssertionError, AttributeError, OSError,
    OverflowError, RecursionError, RuntimeError, ArithmeticError, struct.error, zlib.error,
    sqlite3.Error,
)  # fmt: skip


class AseDatabase(Format):
    """Names are those of key-value pairs, of data, or of ASE's own columns such as ``energy``."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the rows in the order of their numbers."""
        prefix = f"{self.path.name}, row "
        try:
            with open_rows(self.path) as rows:
                if places is None:
                    for number in rows.numbers():
                        yield Record(f"{prefix}{number}", self._id(rows, number), unread)
                    return
                for number in sorted(int(place.removeprefix(prefix)) for place in places):
                    place = f"{prefix}{number}"
                    yield Record(place, None, partial(self._make, rows, number, place))
        except (sqlite3.Error, lmdb.Error, MemoryError, *_DAMAGE) as error:
            raise IntegrityError(
                f"{self.path}: not a readable ASE database: {told(error)}"
            ) from error

    def _id(self, rows: Rows, number: int) -> str | None:
        if self.config.columns.id is None:
            return None
        try:
            return record_id(_values(rows.row(number)), self.config)
        except (BadRecordError, *_DAMAGE):
            return None  # said when the row is parsed

    def _make(self, rows: Rows, number: int, place: str) -> Structure:
        try:
            row = rows.row(number)
            wrong = wrong_count(len(row.numbers))
            if wrong is not None:
                raise BadRecordError(wrong)
            atoms, values = row.toatoms(), _values(row)
        except BadRecordError:
            raise
        except _DAMAGE as error:
            raise BadRecordError(f"ASE cannot read it: {told(error)}") from error
        return structure_of(atoms, read_fields(values, self.config, place), place)


def _values(row: Any) -> dict[str, Any]:
    own = {name: row.get(name) for name in ("energy", "unique_id") if row.get(name) is not None}
    return {**own, **dict(row.data), **row.key_value_pairs}
