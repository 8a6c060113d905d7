"""SDF, record by record; names are those of the data fields, ``_Name`` the title line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from rdkit import Chem

from matteralign.datasets.base.attempt import BadRecordError, blamed
from matteralign.datasets.base.text import open_text
from matteralign.datasets.own.fields import (
    MOST_IN_MOLECULE,
    read_fields,
    record_id,
    wrong_count,
)
from matteralign.datasets.own.molecules import structure_of_molecule
from matteralign.datasets.own.own import Format, Record
from matteralign.store.structures import Structure

_END = "$$$$"
_MOLECULE_END = "M  END"
_TITLE = "_Name"
_RADICAL = re.compile(r"\bRAD=(\d+)")
_LONGEST = 1 << 26
"""Characters of a record; that of the largest molecule that is read has a tenth of them."""


@dataclass
class _Text:
    """The lines of a record that are kept."""

    lines: list[str] = field(default_factory=list)
    length: int = 0
    ended: bool = False

    def add(self, line: str) -> None:
        self.length += len(line)
        if self.length <= _LONGEST:
            self.lines.append(line)


class Sdf(Format):
    """Molecules with coordinates where a record has three dimensions, else without."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the molecules in their order."""
        for number, text in enumerate(self._texts()):
            place = f"{self.path.name}, record {number}"
            if places is None or place in places:
                identifier = self._id(text) if places is None else None
                yield Record(place, identifier, partial(self._make, text, place))

    def _texts(self) -> Iterator[_Text]:
        text = _Text()
        with open_text(self.path) as source:
            for line in source:
                if line.rstrip() == _END:
                    text.ended = True
                    yield text
                    text = _Text()
                else:
                    text.add(line)
        if any(line.strip() for line in text.lines):
            yield text

    def _id(self, text: _Text) -> str | None:
        fields, twice = _fields(text.lines)
        # Of two ids nobody knows which it is.
        return None if self.config.columns.id in twice else record_id(fields, self.config)

    def _make(self, text: _Text, place: str) -> Structure:
        _refuse(text)
        content = "".join(text.lines).encode("utf-8", "replace").decode("utf-8")
        supplier = Chem.SDMolSupplier()
        with blamed("RDKit cannot read it"):
            supplier.SetData(f"{content.rstrip()}\n\n{_END}\n", removeHs=False)
            molecule = supplier[0] if len(supplier) else None
        if molecule is None:
            raise BadRecordError("RDKit cannot read it")
        values, twice = _fields(text.lines)
        for label, name in self.config.columns:
            if name in twice:
                raise BadRecordError(f"columns.{label}: the record has {name!r} twice")
        fields = read_fields(values, self.config, place)
        spin = _spin(text.lines, fields.spin)
        return structure_of_molecule(molecule, replace(fields, spin=spin), place, self.config)


def _spin(lines: list[str], given: int | None) -> int | None:
    """Return the multiplicity that a field or a single radical centre states; None: neither does.

    How the spins of several centres couple, a file does not say.

    Raises
    ------
    BadRecordError
        If both do, and differ.
    """
    centres = _radicals(lines)
    if len(centres) != 1:
        return given
    if given not in (None, centres[0]):
        raise BadRecordError(
            f"the multiplicity is {given}, that of its radical centre (RAD) {centres[0]}"
        )
    return centres[0]


def _radicals(lines: list[str]) -> list[int]:
    """Return the multiplicity of every radical centre: 1, 2 or 3."""
    found: list[int] = []
    for line in lines:
        if line.rstrip() == _MOLECULE_END:
            break
        if line.startswith("M  RAD"):
            found += [int(word) for word in line[9:].split()[1::2] if word.isdecimal()]
        elif line.startswith("M  V30"):
            found += [int(value) for value in _RADICAL.findall(line)]
    return [value for value in found if value]


def _refuse(text: _Text) -> None:
    """Refuse a record that is too large, or of which RDKit would read a part only.

    Raises
    ------
    BadRecordError
        With what is wrong.
    """
    if text.length > _LONGEST:
        raise BadRecordError(f"{text.length:,} characters; up to {_LONGEST:,} can be read")
    if "\0" in "".join(text.lines):
        raise BadRecordError("it has a NUL byte in it")
    wrong = wrong_count(_announced(text.lines), MOST_IN_MOLECULE)
    if wrong is not None:
        raise BadRecordError(wrong)
    ends = sum(line.rstrip() == _MOLECULE_END for line in text.lines)
    if ends > 1:
        raise BadRecordError(f"{ends} molecules in it: the line {_END} between them is damaged")
    if not text.ended and any(_name(line) is not None for line in text.lines):
        raise BadRecordError(f"the file ends within its data fields: a line {_END} is missing")


def _announced(lines: list[str]) -> int:
    """Return the number of atoms that a record announces; 1 where RDKit will say what is wrong."""
    for line in lines[3:]:
        if "V3000" in line:
            continue
        numbers = line.split("COUNTS", 1)[1] if line.startswith("M  V30 COUNTS") else line[:3]
        if line.startswith("M  V30") and "COUNTS" not in line:
            continue
        try:
            return int(numbers.split()[0])
        except (ValueError, IndexError):
            return 1
    return 1


def _name(line: str) -> str | None:
    """Return the name of the data field that a line begins; None: it begins none."""
    start = line.find("<") + 1
    end = line.find(">", start)
    return line[start:end] if line.startswith(">") and start and end >= 0 else None


def _fields(lines: list[str]) -> tuple[dict[str, str], set[str]]:
    """Return the data fields of a record, ``> <name>``, lines, an empty line; and names of two."""
    found = {_TITLE: lines[0].strip() if lines else ""}
    twice: set[str] = set()
    name: str | None = None
    for line in lines:
        begun = _name(line)
        if begun is not None:
            name = begun
            if name in found:
                twice.add(name)
            found[name] = ""
        elif name is not None and line.strip():
            found[name] = f"{found[name]}\n{line}".strip()
        else:
            name = None
    return found, twice
