"""An ASE database, read by row: SQLite, JSON, or LMDB as ``.aselmdb``."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from ase.db import connect

from matteralign.core.errors import IntegrityError
from matteralign.datasets.formats.fields import read_fields, record_id, structure_of
from matteralign.datasets.own import BadRecordError, Format, Record
from matteralign.store.structures import Structure

_DAMAGE = (ValueError, KeyError, IndexError, TypeError, AssertionError, AttributeError, OSError)


class AseDatabase(Format):
    """Names are those of key-value pairs, of data, or of ASE's own columns such as ``energy``."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the rows in the order of their numbers."""
        try:
            database = connect(self.path)
            if places is None:
                for row in database.select(columns="all"):
                    yield self._record(database, int(row.id), record_id(_values(row), self.config))
                return
            prefix = f"{self.path.name}, row "
            for number in sorted(int(place.removeprefix(prefix)) for place in places):
                yield self._record(database, number, None)
        except (sqlite3.Error, *_DAMAGE) as error:
            raise IntegrityError(f"{self.path}: not a readable ASE database: {error}") from error

    def _record(self, database: Any, number: int, identifier: str | None) -> Record:
        place = f"{self.path.name}, row {number}"
        return Record(place, identifier, partial(self._make, database, number, place))

    def _make(self, database: Any, number: int, place: str) -> Structure:
        try:
            row = database.get(id=number)
            atoms, values = row.toatoms(), _values(row)
        except (sqlite3.Error, *_DAMAGE) as error:
            raise BadRecordError(f"ASE cannot read it: {error}") from error
        return structure_of(atoms, read_fields(values, self.config, place), place)


def _values(row: Any) -> dict[str, Any]:
    own = {name: row.get(name) for name in ("energy", "unique_id") if row.get(name) is not None}
    return {**own, **dict(row.data), **row.key_value_pairs}
