"""Extended XYZ, frame by frame: of frames that are not wanted only the first line is read."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from typing import Any

from ase.io import read
from ase.io.extxyz import key_val_str_to_dict

from matteralign.core.errors import IntegrityError
from matteralign.datasets.formats.fields import MOST_ATOMS, read_fields, record_id, structure_of
from matteralign.datasets.own import BadRecordError, Format, Record
from matteralign.store.structures import Structure

# What ASE raises on lines that are none of the format.
_DAMAGE = (ValueError, KeyError, IndexError, TypeError, AssertionError, AttributeError, OSError)


class ExtXyz(Format):
    """One file of frames; names are keys of the comment line."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the frames in their order."""
        name = self.path.name
        with open(self.path, encoding="utf-8", errors="surrogateescape") as lines:
            number = 0
            while head := lines.readline():
                if not head.strip():
                    continue
                place = f"{name}, frame {number}"
                count = _count(head, f"{self.path}, frame {number}")
                wanted = places is None or place in places
                comment = lines.readline()
                body = list(islice(lines, count)) if wanted else _skip(lines, count)
                identifier = record_id(_keys(comment), self.config) if places is None else None
                yield Record(place, identifier, partial(self._make, [head, comment, *body], place))
                number += 1

    def _make(self, lines: list[str], place: str) -> Structure:
        if len(lines) - 2 != int(lines[0]):
            raise BadRecordError(
                f"{lines[0].strip()} atoms announced, {len(lines) - 2} lines follow"
            )
        try:
            atoms = read(io.StringIO("".join(lines)), format="extxyz", index=0)
        except _DAMAGE as error:
            raise BadRecordError(f"not readable as extended XYZ: {error}") from error
        values: dict[str, Any] = dict(_keys(lines[1]))
        # ASE moves results of a calculation from the line into a calculator.
        if atoms.calc is not None:
            values |= {k: v for k, v in atoms.calc.results.items() if k not in values}
        return structure_of(atoms, read_fields(values, self.config, place), place)


def _count(head: str, where: str) -> int:
    try:
        count = int(head)
    except ValueError as error:
        raise IntegrityError(
            f"{where}: its first line is {head.strip()[:60]!r}, no number of atoms; what follows "
            "cannot be told apart"
        ) from error
    if not 0 <= count <= 10 * MOST_ATOMS:
        raise IntegrityError(f"{where}: {count:,} atoms announced")
    return count


def _skip(lines: Iterator[str], count: int) -> list[str]:
    for _ in islice(lines, count):
        pass
    return []


def _keys(comment: str) -> dict[str, Any]:
    try:
        return dict(key_val_str_to_dict(comment))
    except _DAMAGE:
        # Said when the record is parsed, by ASE's own reader.
        return {}
