"""Extended XYZ, frame by frame: of frames that are not wanted only the first lines are kept."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice
from typing import Any

from ase.io import read
from ase.io.extxyz import key_val_str_to_dict

from matteralign.core.errors import IntegrityError
from matteralign.datasets.attempt import BadRecordError, blamed
from matteralign.datasets.formats.fields import (
    MOST_ATOMS,
    read_fields,
    record_id,
    structure_of,
    wrong_count,
)
from matteralign.datasets.formats.text import open_text
from matteralign.datasets.own import Format, Record, refused, unread
from matteralign.store.structures import Structure

_MOST_COLUMNS = 1000


class ExtXyz(Format):
    """One file of frames; names are keys of the comment line."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the frames in their order."""
        with open_text(self.path) as lines:
            number = 0
            for head in lines:
                if not head.strip():
                    continue
                place, where = (f"{at}, frame {number}" for at in (self.path.name, self.path))
                count = _count(head, where)
                comment = next(lines, "")
                wrong = wrong_count(count)
                wanted = places is not None and place in places
                body: list[str] = []
                there = 0
                for line in islice(lines, count):
                    _refuse_head(line, count, where)
                    there += 1
                    if wanted and wrong is None:
                        body.append(line)
                if there < count and count > MOST_ATOMS:
                    raise IntegrityError(f"{where}: {count:,} atoms announced, {there:,} are there")
                if places is None:
                    yield Record(place, record_id(_keys(comment), self.config), unread)
                elif wanted:
                    make = partial(self._make, [head, comment, *body], place)
                    yield Record(place, None, make if wrong is None else refused(wrong))
                number += 1

    def _make(self, lines: list[str], place: str) -> Structure:
        if len(lines) - 2 != int(lines[0]):
            raise BadRecordError(
                f"{lines[0].strip()} atoms announced, {len(lines) - 2} lines follow"
            )
        _refuse_columns(lines[1])
        with blamed("not readable as extended XYZ"):
            atoms = read(io.StringIO("".join(lines)), format="extxyz", index=0)
        values: dict[str, Any] = dict(_keys(lines[1]))
        # ASE moves results of a calculation from the line into a calculator.
        if atoms.calc is not None:
            values |= {k: v for k, v in atoms.calc.results.items() if k not in values}
        return structure_of(atoms, read_fields(values, self.config, place), place)


def _count(head: str, where: str) -> int:
    if not (head.strip().isascii() and head.strip().isdigit()):
        raise IntegrityError(
            f"{where}: its first line is {head.strip()[:60]!r}, no number of atoms; what follows "
            "cannot be told apart"
        )
    try:
        return int(head)
    except ValueError as error:  # thousands of digits
        raise IntegrityError(
            f"{where}: {len(head.strip()):,} digits of a number of atoms"
        ) from error


def _refuse_head(line: str, count: int, where: str) -> None:
    """Refuse a frame that would swallow the next: no line of an atom is one whole number."""
    if line[:1].isdigit() and line.strip().isdigit():
        raise IntegrityError(
            f"{where}: {count:,} atoms announced, but the line {line.strip()[:40]!r} among them "
            "begins another frame"
        )


def _refuse_columns(comment: str) -> None:
    """Refuse columns that ASE would make by the million before it looks at the lines."""
    widths = str(_keys(comment).get("Properties", "")).split(":")[2::3]
    declared = sum(int(width) for width in widths if width.isascii() and width.isdigit())
    if declared > _MOST_COLUMNS:
        raise BadRecordError(
            f"Properties names {declared:,} columns; up to {_MOST_COLUMNS:,} can be read"
        )


def _keys(comment: str) -> dict[str, Any]:
    try:
        return dict(key_val_str_to_dict(comment))
    except Exception:  # noqa: BLE001 - a library may raise anything
        # Said when the record is parsed, by ASE's own reader.
        return {}
