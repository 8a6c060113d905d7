"""An ASE database, read by row: SQLite, JSON, or LMDB as ``.aselmdb``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from matteralign.datasets.ase_lmdb.reader import pairs
from matteralign.datasets.base.attempt import BadRecordError, attempt, blamed
from matteralign.datasets.own.ase_files import Rows, open_rows
from matteralign.datasets.own.fields import read_fields, record_id, structure_of, wrong_count
from matteralign.datasets.own.own import Format, Record, unread
from matteralign.store.structures import Structure


class AseDatabase(Format):
    """Names are those of key-value pairs, of data, or of ASE's own columns such as ``energy``."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the rows in the order of their numbers."""
        prefix = f"{self.path.name}, row "
        with open_rows(self.path) as rows:
            if places is None:
                for number in rows.numbers():
                    place = f"{prefix}{number}"
                    yield Record(place, self._id(rows, number, place), unread)
                return
            for number in sorted(int(place.removeprefix(prefix)) for place in places):
                place = f"{prefix}{number}"
                yield Record(place, None, partial(self._make, rows, number, place))

    def _id(self, rows: Rows, number: int, place: str) -> str | None:
        if self.config.columns.id is None:
            return None
        # Why it has none is said when the row is parsed.
        return attempt(lambda: record_id(_values(rows.row(number)), self.config), place).value

    def _make(self, rows: Rows, number: int, place: str) -> Structure:
        with blamed("ASE cannot read it"):
            row = rows.row(number)
            wrong = wrong_count(len(row.numbers))
            if wrong is not None:
                raise BadRecordError(wrong)
            atoms, values = row.toatoms(), _values(row)
        return structure_of(atoms, read_fields(values, self.config, place), place)


def _values(row: Any) -> dict[str, Any]:
    own = {name: row.get(name) for name in ("energy", "unique_id") if row.get(name) is not None}
    return {**own, **dict(row.data), **pairs(row)}
