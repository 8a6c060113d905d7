"""QM9 as a registry package has it: tables of 130,831 molecules without the uncharacterised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.attempt import Attempt, attempt
from matteralign.datasets.base.card import DatasetCard, Version
from matteralign.datasets.base.dataset import Dataset, Skipped
from matteralign.datasets.base.processes import parsed
from matteralign.datasets.qm9.molecule import Record, molecule
from matteralign.store.structures import Structure

_COLUMNS = ("XYZ_file", "SMILES", "N_atoms", "Elements", "XYZ_Ang", "InternalEnergy_0K_au")


class Qm9Table(Dataset):
    """QM9 from comma-separated tables, one row per molecule, coordinates as text."""

    def __init__(self, card: DatasetCard, version: Version, raw: Mapping[str, Path]) -> None:
        super().__init__(card, version, raw)
        self._index: dict[str, tuple[str, int]] | None = None

    def ids(self) -> Sequence[str]:
        """Return ``gdb_1`` … ``gdb_133885`` that are in the files."""
        return list(self._rows())

    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return the molecules of these ids, in this order."""
        rows = self._rows()
        wanted: dict[str, list[str]] = {}
        for identifier in ids:
            wanted.setdefault(rows[identifier][0], []).append(identifier)
        found: dict[str, Structure | Skipped] = {}
        for name, members in wanted.items():
            table = _read(self.raw[name], _COLUMNS)
            picked = table.take(pa.array([rows[identifier][1] for identifier in members]))
            items = parsed(_read_record, _records(picked, members, name), self.threads)
            for identifier, read in zip(members, items, strict=True):
                found[identifier] = self.settled(_place(name, identifier), read)
        return [found[identifier] for identifier in ids]

    def _rows(self) -> dict[str, tuple[str, int]]:
        if self._index is None:
            index: dict[str, tuple[str, int]] = {}
            for name, path in self.raw.items():
                for row, number in enumerate(_numbers(path)):
                    identifier = f"gdb_{number}"
                    if identifier in index:
                        raise IntegrityError(f"{path}: record {identifier} is there twice")
                    index[identifier] = (name, row)
            self._index = index
        return self._index


def _numbers(path: Path) -> list[int]:
    column = _read(path, ("Index",)).column(0)
    try:
        numbers: list[int] = pc.cast(column, pa.int64()).to_pylist()
    except pa.ArrowInvalid as error:
        raise IntegrityError(f"{path}: a record's Index is no number: {error}") from error
    return numbers


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    options = pacsv.ConvertOptions(
        include_columns=list(columns), column_types=dict.fromkeys(columns, pa.string())
    )
    try:
        return pacsv.read_csv(
            path,
            read_options=pacsv.ReadOptions(block_size=1 << 24),
            parse_options=pacsv.ParseOptions(newlines_in_values=False, ignore_empty_lines=True),
            convert_options=options,
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise IntegrityError(f"{path}: not a table of QM9: {error}") from error


def _records(
    table: pa.Table, members: Sequence[str], name: str
) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Yield rows as `_parse` takes them; all at once they would be many times a file's size."""
    for start in range(0, len(members), 4096):
        part = table.slice(start, 4096).to_pylist()
        for identifier, record in zip(members[start : start + 4096], part, strict=True):
            yield record, identifier, name


def _place(name: str, identifier: str) -> str:
    return f"{name}, record {identifier}"


def _read_record(record: dict[str, Any], identifier: str, name: str) -> Attempt[Structure]:
    return attempt(partial(_parse, record, identifier, name), _place(name, identifier))


def _parse(record: dict[str, Any], identifier: str, name: str) -> Structure:
    symbols = [_unquoted(part) for part in _inside(record["Elements"], "[", "]").split(",")]
    rows = _inside(record["XYZ_Ang"].replace(" ", ""), "[[", "]]").split("],[")
    if int(record["N_atoms"]) != len(symbols):
        raise ValueError(f"{len(symbols)} elements, N_atoms is {record['N_atoms']}")
    return molecule(
        identifier,
        Record(
            symbols=symbols,
            coordinates=[row.split(",") for row in rows],
            energy=record["InternalEnergy_0K_au"],
            smiles=record["SMILES"],
            source=f"{name}:{record['XYZ_file']}",
        ),
    )


def _inside(text: str, opening: str, closing: str) -> str:
    if not (text.startswith(opening) and text.endswith(closing)):
        raise ValueError(f"no list between {opening} and {closing}: {text[:40]!r}")
    return text[len(opening) : -len(closing)]


def _unquoted(text: str) -> str:
    return _inside(text.strip(), "'", "'")
