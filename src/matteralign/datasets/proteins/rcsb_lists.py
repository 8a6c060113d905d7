"""Lists of the Protein Data Bank: its entries, and clusters of sequences."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matteralign.core.errors import IntegrityError

_ENTRY = re.compile(r"[0-9][A-Za-z0-9]{3}|pdb_[0-9a-z]{8}", re.IGNORECASE)
_ENTITY = re.compile(rf"({_ENTRY.pattern})_(\d+)", re.IGNORECASE)
# Members of clusters that are no entries of the archive.
_COMPUTED = ("AF_", "MA_")
_COLUMNS = 8


@dataclass(frozen=True)
class Entry:
    """What a list says of an entry.

    Attributes
    ----------
    methods
        Experimental methods, upper case; empty: not said.
    resolution
        In Å; None: not said.
    """

    methods: frozenset[str] = frozenset()
    resolution: float | None = None


@dataclass(frozen=True, order=True)
class Entity:
    """A molecule of an entry: entry, upper case, and number; 0: whichever comes first."""

    entry: str
    number: int

    def __str__(self) -> str:
        return f"{self.entry}_{self.number}" if self.number else self.entry


def read_entries(path: Path) -> dict[str, Entry]:
    """Read a list of entries: ids as a JSON list, one a line, or the archive's ``entries.idx``.

    Raises
    ------
    IntegrityError
        If the file is none of these; the message names the line.
    """
    text = _text(path)
    if text.lstrip().startswith("["):
        try:
            ids = json.loads(text)
        except json.JSONDecodeError as error:
            raise IntegrityError(f"{path}: not readable as JSON: {error}") from error
        lines = [str(entry) for entry in ids]
    else:
        lines = text.splitlines()
    found: dict[str, Entry] = {}
    for number, line in enumerate(lines, 1):
        cells = line.split("\t")
        name = cells[0].strip()
        if not name or name.startswith(("IDCODE", "---", "#")):
            continue
        if not _ENTRY.fullmatch(name):
            raise IntegrityError(f"{path}, line {number}: {name[:40]!r} is no entry of the archive")
        if len(cells) not in (1, _COLUMNS):
            raise IntegrityError(
                f"{path}, line {number}: {len(cells)} columns; entries.idx has {_COLUMNS}"
            )
        found[name.upper()] = _entry(cells) if len(cells) > 1 else Entry()
    if not found:
        raise IntegrityError(f"{path}: no entries in it")
    return found


def read_clusters(path: Path) -> list[list[Entity]]:
    """Read clusters of entities: one a line, members such as ``1ABC_1`` parted by spaces.

    Computed models among the members are left out.

    Raises
    ------
    IntegrityError
        If a member is no entity, or an entity is in two clusters; the message names the lines.
    """
    clusters: list[list[Entity]] = []
    seen: dict[Entity, int] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        members = []
        for word in line.split():
            if word.upper().startswith(_COMPUTED):
                continue
            match = _ENTITY.fullmatch(word)
            if match is None:
                raise IntegrityError(
                    f"{path}, line {number}: {word[:40]!r} is no entity such as 1ABC_1"
                )
            member = Entity(match[1].upper(), int(match[2]))
            if member in seen:
                raise IntegrityError(f"{path}: {word} is in lines {seen[member]} and {number}")
            seen[member] = number
            members.append(member)
        if members:
            clusters.append(members)
    if not clusters:
        raise IntegrityError(f"{path}: no clusters in it")
    return clusters


def in_order(members: list[Entity], entries: Mapping[str, Entry]) -> list[Entity]:
    """Return a cluster's members as they are tried: best known resolution, then entry, number."""

    def key(member: Entity) -> tuple[float, Entity]:
        resolution = entries.get(member.entry, Entry()).resolution
        return (float("inf") if resolution is None else resolution), member

    return sorted(members, key=key)


def _entry(cells: list[str]) -> Entry:
    # Of several resolutions the first, as for two methods in one entry.
    first = cells[6].split(",")[0].strip()
    try:
        resolution: float | None = float(first)
    except ValueError:
        resolution = None  # the table says NOT, for not applicable
    methods = (method.strip().upper() for method in cells[7].split(","))
    return Entry(frozenset(filter(None, methods)), resolution)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise IntegrityError(f"{path}: not readable as text: {error}") from error
