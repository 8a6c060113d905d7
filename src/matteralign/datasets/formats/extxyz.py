"""Extended XYZ, frame by frame: of frames that are not wanted only the first lines are kept."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Collection, Iterator
from functools import partial
from itertools import islice

from ase.io import read

from matteralign.core.errors import IntegrityError
from matteralign.datasets.attempt import BadRecordError, RecordWarning, blamed
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
_PIECES = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\{[^}]*\}|\[[^\]]*\])"""
    r"""|(?P<escaped>\\.)|(?P<equals>=)|(?P<space>\s+)|(?P<text>[^\s='"{\[\\]+|.)""",
    re.DOTALL,
)
_NAMES = {"pos": "pos", "species": "species", "z": "Z"}
_BOOLEANS = {"t": "T", "true": "T", "1": "T", "f": "F", "false": "F", "0": "F"}
# Names by which other programs write a cell, some by rows, some by columns.
_CELLS = frozenset({"cell", "box", "unit_cell", "unitcell", "lattice_vectors", "cell_vectors"})


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
                    yield Record(place, record_id(comment_texts(comment), self.config), unread)
                elif wanted:
                    make = partial(self._make, [head, comment, *body], place)
                    yield Record(place, None, make if wrong is None else refused(wrong))
                number += 1

    def _make(self, lines: list[str], place: str) -> Structure:
        if len(lines) - 2 != int(lines[0]):
            raise BadRecordError(
                f"{lines[0].strip()} atoms announced, {len(lines) - 2} lines follow"
            )
        values = comment_texts(lines[1])
        frame = "".join([lines[0], _geometry(values), *lines[2:]])
        with blamed("not readable as extended XYZ"):
            atoms = read(io.StringIO(frame), format="extxyz", index=0)
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


def comment_texts(comment: str) -> dict[str, str]:
    """Return keys and values of a comment line, each value as it is written.

    A value may stand in quotes, braces or brackets; a key without one is a flag, ``T``. Nothing
    is taken for a number: an id may be ``007`` or ``1e5``.
    """
    found: dict[str, str] = {}
    key, value, ended, quoted = "", None, False, False

    def keep() -> None:
        if key:
            found[key] = "T" if value is None else value

    for piece in _PIECES.finditer(comment):
        kind, text = piece.lastgroup, piece[0]
        if kind == "space":
            ended = bool(key) and (value != "" or quoted)
            continue
        if kind == "equals" and value is None:
            value, ended, quoted = "", False, False
            continue
        if ended:
            keep()
            key, value, ended, quoted = "", None, False, False
        if kind == "quoted":
            quoted = True
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        elif kind == "escaped":
            text = text[1:]
        if value is None:
            key += text
        else:
            value += text
    keep()
    return found


def _geometry(values: dict[str, str]) -> str:
    """Return the line of what tells cell and columns, as ASE wants it.

    Raises
    ------
    BadRecordError
        If the cell cannot be read, or has a name that is none of the format.
    """
    told = {name: _spelled(values, name) for name in ("Lattice", "pbc", "Properties")}
    lattice, periods = told["Lattice"], _periods(told["pbc"])
    other = next((key for key in values if key.lower() in _CELLS), None)
    if lattice is None and (other is not None or (periods is not None and "T" in periods)):
        hint = "" if other is None else f"; rename {other!r}, if it holds the vectors"
        raise BadRecordError(f"its cell is not under the key Lattice{hint}")
    parts = [f"Properties={_columns(told['Properties'] or 'species:S:1:pos:R:3')}"]
    if lattice is not None:
        if len(lattice.replace(",", " ").split()) != 9:
            raise BadRecordError(f"Lattice is {lattice[:80]!r}; nine numbers are its vectors")
        parts.append(f'Lattice="{lattice}"')
    if periods is not None:
        parts.append(f'pbc="{periods}"')
    return f"{' '.join(parts)}\n"


def _spelled(values: dict[str, str], name: str) -> str | None:
    """Return the value of a key of the format, in whatever case it is written."""
    found = {key: text for key, text in values.items() if key.lower() == name.lower()}
    if len(set(found.values())) > 1:
        raise BadRecordError(f"{' and '.join(found)} say different things")
    if found and name not in found:
        spelled = next(iter(found))
        warnings.warn(f"{spelled!r} is taken as {name}", RecordWarning, stacklevel=1)
    return next(iter(found.values()), None)


def _periods(text: str | None) -> str | None:
    if text is None:
        return None
    words = [_BOOLEANS.get(word.lower()) for word in text.replace(",", " ").split()]
    if len(words) != 3 or None in words:
        raise BadRecordError(f"pbc is {text[:40]!r}; three of T and F are right")
    return " ".join(word for word in words if word is not None)


def _columns(properties: str) -> str:
    """Return the columns with the names of the format; refuse those that are no atoms.

    ASE would make columns by the million before it looks at the lines.
    """
    parts = properties.split(":")
    widths = parts[2::3]
    declared = sum(int(width) for width in widths if width.isascii() and width.isdigit())
    if declared > _MOST_COLUMNS:
        raise BadRecordError(
            f"Properties names {declared:,} columns; up to {_MOST_COLUMNS:,} can be read"
        )
    names = [_NAMES.get(name.lower(), name) for name in parts[::3]]
    if "pos" not in names or not {"species", "Z"} & set(names):
        raise BadRecordError(f"Properties is {properties[:80]!a}; it needs pos and species or Z")
    parts[::3] = names
    return ":".join(parts)
