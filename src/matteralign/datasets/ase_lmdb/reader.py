"""OMat24, sAlex and OMol25: ASE databases in LMDB, read row by row.

The records are those of the authors: energy and forces of the calculation; for molecules the
total charge and the spin multiplicity 2S + 1, which they call ``spin``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from ase.db.row import AtomsRow
from ase_db_backends.aselmdb import LMDBDatabase, decode_bytestream

from matteralign.core.errors import told
from matteralign.datasets.ase_lmdb.shards import Shard, ShardedIds
from matteralign.datasets.base.attempt import DamagedFileError, attempt, whole_file
from matteralign.datasets.base.card import EV, DatasetCard, Version
from matteralign.datasets.base.consistency import lowest_multiplicity, wrong_state
from matteralign.datasets.base.dataset import Dataset, Skipped
from matteralign.sources.unpacked import unpacked_members
from matteralign.store.structures import Structure

_SUFFIX = ".aselmdb"


class AseLmdb(Dataset):
    """Rows of ``.aselmdb`` databases; the id of a row is ``archive/member:row``."""

    def __init__(self, card: DatasetCard, version: Version, raw: Mapping[str, Path]) -> None:
        super().__init__(card, version, raw)
        self._ids: ShardedIds | None = None
        self._members: dict[str, tuple[Path, str]] = {}
        for name, folder in raw.items():
            for member in unpacked_members(folder):
                if member.endswith(_SUFFIX):
                    prefix = f"{name.removesuffix('.tar.gz')}/{member.removesuffix(_SUFFIX)}"
                    self._members[prefix] = (folder / member, f"{name}/{member}")

    def ids(self) -> Sequence[str]:
        """Return the id of every row, made when it is asked for."""
        if self._ids is None:
            self._ids = ShardedIds(
                [Shard(prefix, _rows(path)) for prefix, (path, _) in self._members.items()]
            )
        return self._ids

    def take(self, ids: Sequence[str]) -> list[Structure | Skipped]:
        """Return these rows in this order; nothing else is read."""
        wanted: dict[str, list[tuple[int, int]]] = {}
        for place, identifier in enumerate(ids):
            prefix, _, number = identifier.rpartition(":")
            wanted.setdefault(prefix, []).append((int(number), place))
        found: dict[int, Structure | Skipped] = {}
        for prefix, rows in wanted.items():
            path, source = self._members[prefix]
            with closing(open_database(path)) as database:
                # In the order of the file: neighbours share pages.
                for row, place in sorted(rows):
                    found[place] = self._structure(database, row, prefix, source)
        return [found[place] for place in range(len(ids))]

    def _structure(self, database: Any, row: int, prefix: str, source: str) -> Structure | Skipped:
        place = f"{source}, row {row}"

        def read() -> Structure:
            try:
                record = database.get(id=row)
            except lmdb.Error as error:  # broken pages are no matter of one row
                raise DamagedFileError(f"{place}: {told(error)}") from error
            return _convert(
                record,
                identifier=f"{prefix}:{row}",
                source=f"{source}:{row}",
                split=self.version.split,
                scale=EV[self.card.units.energy or "eV"],
            )

        return self.settled(place, attempt(read, place))


def _convert(row: AtomsRow, identifier: str, source: str, split: str, scale: float) -> Structure:
    numbers, positions = np.asarray(row.numbers), np.asarray(row.positions, np.float64)
    if numbers.ndim != 1 or positions.shape != (len(numbers), 3):
        raise ValueError(f"{numbers.shape} atomic numbers, coordinates {positions.shape}")
    if len(numbers) and not (numbers.min() >= 1 and numbers.max() <= 118):
        raise ValueError(f"atomic numbers from {numbers.min()} to {numbers.max()}")
    energy = row.get("energy")
    if energy is not None and not np.isfinite(energy):
        raise ValueError(f"the energy is {energy}")
    pbc = np.asarray(row.pbc, bool)
    cell = np.asarray(row.cell, np.float64).reshape(3, 3)
    charge, spin = _state(row, numbers, periodic=bool(pbc.any()))
    return Structure(
        id=identifier,
        numbers=numbers.astype(np.uint8),
        positions=positions,
        cell=cell if pbc.any() or cell.any() else None,
        pbc=pbc,
        charge=charge,
        spin=spin,
        energy=None if energy is None else float(energy) * scale,
        has_forces=row.get("forces") is not None,
        split=split,
        source=source,
    )


def _state(row: AtomsRow, numbers: np.ndarray[Any, Any], *, periodic: bool) -> tuple[int, int]:
    """Return total charge and spin multiplicity.

    Where the record has none: 0; of a molecule the lowest that is possible, of a crystal 1.
    A row's own attribute ``charge`` is the sum of guesses for single atoms, and not read.
    """
    told = {**pairs(row), **dict(row.data)}
    charge = _whole("charge", told.get("charge", 0))
    electrons = int(numbers.sum()) - charge
    lowest = lowest_multiplicity(electrons)
    given = told.get("spin")
    spin = lowest if given is None else _whole("spin", given)
    wrong = wrong_state(electrons, charge, spin)
    if wrong is not None:
        raise ValueError(wrong)
    return charge, 1 if given is None and periodic else spin


def pairs(row: AtomsRow) -> dict[str, Any]:
    """Return the key-value pairs of a row as they were written.

    ``row.key_value_pairs`` gives ASE's own sum of guesses for one that is called ``charge``.
    """
    values = vars(row)
    return {name: values[name] for name in row.key_value_pairs}


def _whole(name: str, value: Any) -> int:
    number = float(value)
    if not number.is_integer() or abs(number) > 10_000:
        raise ValueError(f"{name} is {value!r}, no whole number")
    return int(number)


def open_database(path: Path) -> Any:
    """Open a database read-only, after looking whether it is whole."""
    with whole_file(path, "an ASE database"):
        with closing(lmdb.open(str(path), subdir=False, readonly=True, lock=False)) as probe:
            needed = (probe.info()["last_pgno"] + 1) * probe.stat()["psize"]
            if path.stat().st_size < needed:
                # Reading behind the end of a mapped file would kill the process.
                raise ValueError(f"{path.stat().st_size} bytes of {needed}")
            _refuse_absurd_count(probe)
        return LMDBDatabase(path, use_lock_file=False, readonly=True, readahead=False)


def _refuse_absurd_count(environment: Any) -> None:
    """Compare the number of rows with that of the keys: a list of all rows is made from it."""
    with environment.begin() as transaction:
        stored = {key: _decoded(transaction.get(key.encode())) for key in ("nextid", "deleted_ids")}
    following, deleted = stored["nextid"], stored["deleted_ids"]
    there = environment.stat()["entries"]
    if type(following) is not int:
        raise ValueError(f"its number of rows is {following!r}")
    rows = following - 1 - (0 if deleted is None else len(deleted))
    if not 0 <= rows <= there:
        raise ValueError(f"{rows} rows announced, {there} keys are there")


def _decoded(stored: bytes | None) -> Any:
    if stored is None:
        return None
    return decode_bytestream(stored, decompress=True, json_decode=True)


def _rows(path: Path) -> Sequence[int]:
    with closing(open_database(path)) as database:
        ids: list[int] = database.ids
        return range(1, len(ids) + 1) if not database.deleted_ids else tuple(ids)
