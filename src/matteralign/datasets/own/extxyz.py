"""Extended XYZ, frame by frame: of frames that are not wanted only the first lines are kept."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from ase import Atoms

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import BadRecordError, RecordWarning
from matteralign.datasets.base.text import open_text, plain_number
from matteralign.datasets.own.elements import HEAVY_HYDROGEN, element
from matteralign.datasets.own.fields import (
    MOST_ATOMS,
    read_fields,
    record_id,
    structure_of,
    wrong_count,
)
from matteralign.datasets.own.own import Format, Record, refused, unread
from matteralign.store.structures import Structure

_PIECES = re.compile(
    # Quotes and brackets hold blanks together where they begin a key or a value: 5'-AMP has none.
    r"""(?<![^\s=])(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?<![^\s=])(?P<array>\{[^}]*\}|\[[^\]]*\])"""
    r"""|(?P<escaped>\\[\\"'= ])|(?P<equals>=)|(?P<space>\s+)|(?P<text>[^\s='"{\[\\]+|.)""",
    re.DOTALL,
)
# Other backslashes are those of a SMILES: programs write them as they are.
_ESCAPED = re.compile(r"""\\([\\"'= ])""")
_COLUMNS = {"pos": 3, "species": 1, "z": 1}
_PROPERTIES = re.compile(r"[^:]+:[SRIL]:[0-9]{1,12}(?::[^:]+:[SRIL]:[0-9]{1,12})*")
_USUAL = "species:S:1:pos:R:3"
_BOOLEANS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}
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
                    yield Record(place, self._id(comment), unread)
                elif wanted:
                    make = partial(self._make, [head, comment, *body], place)
                    yield Record(place, None, make if wrong is None else refused(wrong))
                number += 1

    def _id(self, comment: str) -> str | None:
        pairs = comment_pairs(comment)
        # Of two ids nobody knows which it is.
        return (
            None if self.config.columns.id in _twice(pairs) else record_id(dict(pairs), self.config)
        )

    def _make(self, lines: list[str], place: str) -> Structure:
        if len(lines) - 2 != int(lines[0]):
            raise BadRecordError(
                f"{lines[0].strip()} atoms announced, {len(lines) - 2} lines follow"
            )
        pairs = comment_pairs(lines[1])
        twice = _twice(pairs)
        for label, name in self.config.columns:
            if name in twice:
                raise BadRecordError(
                    f"columns.{label}: the frame has {name!r} twice, with different values"
                )
        fields = read_fields(dict(pairs), self.config, place)
        return structure_of(_atoms(pairs, lines[2:]), fields, place)


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


def comment_pairs(comment: str) -> list[tuple[str, str]]:
    """Return keys and values of a comment line, each value as it is written.

    A value may stand in quotes; blanks may also be in brackets and braces, which stay. A key
    without a value is a flag, ``T``. Nothing is taken for a number: an id may be ``007``.
    """
    found: list[tuple[str, str]] = []
    key, value, ended, quoted = "", None, False, False

    def keep() -> None:
        if key:
            found.append((key, "T" if value is None else value))

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
            text = _ESCAPED.sub(r"\1", text[1:-1])
        elif kind == "escaped":
            text = text[1:]
        if value is None:
            key += text
        else:
            value += text
    keep()
    return found


def _twice(pairs: Sequence[tuple[str, str]]) -> set[str]:
    """Return the keys that have more than one value."""
    values = dict(pairs)
    return {key for key, text in pairs if text != values[key]}


@dataclass(frozen=True)
class _Layout:
    """Where the columns of a line are; None: there is no such column."""

    pos: int
    species: int | None
    z: int | None
    width: int


def _atoms(pairs: Sequence[tuple[str, str]], lines: Sequence[str]) -> Atoms:
    """Return the atoms of a frame.

    Raises
    ------
    BadRecordError
        If its cell has a name that is none of the format, or a value cannot be read.
    """
    lattice, pbc, properties = (_spelled(pairs, name) for name in ("Lattice", "pbc", "Properties"))
    periods = None if pbc is None else _periods(pbc)
    other = next((key for key, _ in pairs if key.lower() in _CELLS), None)
    if lattice is None and (other is not None or (periods is not None and any(periods))):
        found = "pbc" if other is None else other
        raise BadRecordError(
            f"its comment line has {found!r} and no key Lattice: write the vectors of its cell as "
            'Lattice="ax ay az bx by bz cx cy cz" in Å; if it has no cell, take '
            f"{found!r} out of the line"
        )
    layout = _layout(properties or _USUAL)
    rows = [line.split() for line in lines]
    short = next((at for at, row in enumerate(rows) if len(row) < layout.width), None)
    if short is not None:
        raise BadRecordError(
            f"atom {short} has {len(rows[short])} columns of the {layout.width:,} of "
            f"{properties or _USUAL!r}"
        )
    if properties is not None and any(len(row) > layout.width for row in rows):
        warnings.warn(
            "atoms have more columns than Properties names; the last are not read",
            RecordWarning,
            stacklevel=1,
        )
    return Atoms(
        numbers=[_number(row, at, layout) for at, row in enumerate(rows)],
        positions=[
            [_float(word, f"a coordinate of atom {at}") for word in row[layout.pos :][:3]]
            for at, row in enumerate(rows)
        ],
        cell=None if lattice is None else _cell(lattice),
        pbc=lattice is not None if periods is None else periods,
    )


def _spelled(pairs: Sequence[tuple[str, str]], name: str) -> str | None:
    """Return the value of a key of the format, in whatever case it is written."""
    found = [(key, text) for key, text in pairs if key.lower() == name.lower()]
    if len({text for _, text in found}) > 1:
        raise BadRecordError(f"{' and '.join(key for key, _ in found)} say different things")
    if found and name not in dict(found):
        warnings.warn(f"{found[0][0]!r} is taken as {name}", RecordWarning, stacklevel=1)
    return found[0][1] if found else None


def _periods(text: str) -> list[bool]:
    words = [_BOOLEANS.get(word.lower()) for word in _words(text)]
    found = [word for word in words if word is not None]
    if len(words) != 3 or len(found) != 3:
        raise BadRecordError(f"pbc is {text[:40]!r}; three of T and F are right")
    return found


def _words(text: str) -> list[str]:
    """Return what a list holds, one in brackets or braces too."""
    bare = text[1:-1] if f"{text[:1]}{text[-1:]}" in ("[]", "{}") else text
    return bare.replace(",", " ").split()


def _cell(text: str) -> list[list[float]]:
    words = _words(text)
    if len(words) != 9:
        raise BadRecordError(f"Lattice is {text[:80]!r}; nine numbers are its vectors")
    numbers = [_float(word, "a number of Lattice") for word in words]
    return [numbers[:3], numbers[3:6], numbers[6:]]


def _layout(properties: str) -> _Layout:
    """Return where the columns are that tell the atoms; refuse what has none."""
    if not _PROPERTIES.fullmatch(properties):
        raise BadRecordError(
            f"Properties is {properties[:80]!a}; name, kind (S, R, I or L) and number repeat"
        )
    parts = properties.split(":")
    begins, width = dict[str, int](), 0
    for name, columns in zip(map(str.lower, parts[::3]), map(int, parts[2::3]), strict=True):
        if name in _COLUMNS:
            if name in begins or columns != _COLUMNS[name]:
                raise BadRecordError(
                    f"Properties is {properties[:80]!a}; pos is three columns, species and Z one"
                )
            begins[name] = width
        width += columns
    if "pos" not in begins or not {"species", "z"} & set(begins):
        raise BadRecordError(f"Properties is {properties[:80]!a}; it needs pos and species or Z")
    return _Layout(begins["pos"], begins.get("species"), begins.get("z"), width)


def _number(row: Sequence[str], at: int, layout: _Layout) -> int:
    """Return the atomic number of an atom."""
    symbol = None if layout.species is None else row[layout.species]
    told = None if layout.z is None else row[layout.z]
    number = 0
    if symbol is not None:
        number = element(symbol) or 0
        if not number:
            raise BadRecordError(f"atom {at}: {symbol[:40]!r} is no element")
        if symbol.upper() in ("D", "T"):
            warnings.warn(HEAVY_HYDROGEN, RecordWarning, stacklevel=1)
    if told is not None:
        if not (told.isascii() and told.isdigit() and len(told) < 4):
            raise BadRecordError(f"atom {at}: Z is {told[:40]!r}, no atomic number")
        if symbol is not None and int(told) != number:
            raise BadRecordError(f"atom {at} is {symbol} by its species, Z is {told}")
        number = int(told)
    return number


def _float(word: str, what: str) -> float:
    if not plain_number(word):
        raise BadRecordError(f"{what} is {word[:40]!r}, no number")
    return float(word)
