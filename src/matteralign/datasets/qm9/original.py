"""QM9 as its authors published it: an archive with one xyz file per molecule.

A file has the number of atoms; ``gdb``, the index and fifteen properties; one line per atom with
element, coordinates and Mulliken charge; the frequencies; two SMILES, of GDB-17 and of the
relaxed geometry; two InChI. Numbers may be written ``2.1997*^-6`` (Ramakrishnan et al., Sci. Data
1, 140022 (2014), Table 2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import Attempt, attempt
from matteralign.datasets.base.card import DatasetCard, Version
from matteralign.datasets.base.dataset import Dataset, Skipped
from matteralign.datasets.base.processes import parsed
from matteralign.datasets.qm9.molecule import Record, molecule
from matteralign.sources.archive import read_members
from matteralign.store.structures import Structure

_NAME = re.compile(r"dsgdb9nsd_(\d{6})\.xyz")
_U0 = 12  # of the second line, after `gdb` and the index: A B C μ α ε ε Δε R² zpve U0
_FIELDS = 17
_LARGEST = 1 << 20  # bytes of a record; the largest has 3 kB
_LISTED = re.compile(rb"^\s*(\d+)\s+\S", re.MULTILINE)


class Qm9Original(Dataset):
    """QM9 from the archive, without the molecules listed in ``uncharacterized.txt``."""

    def __init__(self, card: DatasetCard, version: Version, raw: Mapping[str, Path]) -> None:
        super().__init__(card, version, raw)
        self._records: dict[str, bytes] | None = None

    def ids(self) -> Sequence[str]:
        """Return ``gdb_1`` … ``gdb_133885`` without those that are left out."""
        return list(self._all())

    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return the molecules of these ids, in this order."""
        records, name = self._all(), self._archive().name
        wanted = ((records[identifier], identifier, name) for identifier in ids)
        items = parsed(_read_record, wanted, self.threads)
        return [
            self.settled(_place(name, identifier), read)
            for identifier, read in zip(ids, items, strict=True)
        ]

    def _archive(self) -> Path:
        return next(path for name, path in self.raw.items() if ".tar" in name)

    def _all(self) -> dict[str, bytes]:
        """Read the archive once, and keep its records: it can only be read from the beginning."""
        if self._records is None:
            listed = next(path for name, path in self.raw.items() if name.endswith(".txt"))
            self._records = _read(self._archive(), _left_out(listed))
        return self._records


def _left_out(path: Path) -> set[int]:
    found = {int(number) for number in _LISTED.findall(path.read_bytes())}
    if not found:
        raise IntegrityError(f"{path}: no list of molecules to leave out")
    return found


def _read(archive: Path, left_out: set[int]) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    for member in read_members(archive, lambda name: name.endswith(".xyz")):
        found = _NAME.fullmatch(PurePosixPath(member.name).name)
        if found is None:
            raise IntegrityError(f"{archive}: {member.name!r} is no molecule of QM9")
        number = int(found[1])
        identifier = f"gdb_{number}"
        if identifier in records:
            raise IntegrityError(f"{archive}: record {identifier} is there twice")
        if member.size is not None and member.size > _LARGEST:
            raise IntegrityError(f"{archive}, record {identifier}: {member.size} bytes")
        if number not in left_out:
            records[identifier] = member.stream.read()
    if not records:
        raise IntegrityError(f"{archive}: holds no molecule of QM9")
    return records


def _place(name: str, identifier: str) -> str:
    return f"{name}, record {identifier}"


def _read_record(record: bytes, identifier: str, name: str) -> Attempt[Structure]:
    return attempt(partial(_parse, record, identifier, name), _place(name, identifier))


def _parse(record: bytes, identifier: str, name: str) -> Structure:
    lines = record.decode("ascii").splitlines()
    count = int(lines[0])
    if not 0 < count <= len(lines) - 5:
        raise ValueError(f"{count} atoms announced, {len(lines)} lines")
    properties = lines[1].split()
    if len(properties) != _FIELDS:
        raise ValueError(f"{len(properties)} fields in its second line, {_FIELDS} are right")
    if properties[0] != "gdb" or f"gdb_{properties[1]}" != identifier:
        raise ValueError(f"its second line says {' '.join(properties[:2])!r}")
    atoms = [line.split() for line in lines[2 : 2 + count]]
    return molecule(
        identifier,
        Record(
            symbols=[atom[0] for atom in atoms],
            coordinates=[atom[1:4] for atom in atoms],
            energy=properties[_U0],
            smiles=lines[3 + count].split()[0],
            source=f"{name}:dsgdb9nsd_{int(properties[1]):06d}.xyz",
        ),
    )
