"""mmCIF files as arrays: the atoms of the first model, and what the file says of its entities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ase.data import atomic_numbers
from biotite.file import DeserializationError, InvalidFileError
from biotite.structure.io import pdbx

from matteralign.core.errors import IntegrityError
from matteralign.datasets.contents import LARGEST, read_contents

Text = npt.NDArray[np.str_]

_NO_VALUE = ("", ".", "?")
# Heavy hydrogen has the chemistry of hydrogen.
_NUMBERS = {symbol.upper(): z for symbol, z in atomic_numbers.items()} | {"D": 1, "T": 1}


@dataclass(frozen=True, eq=False)
class AtomTable:
    """Atoms as the file lists them; every array has shape (n,) or (n, 3).

    Attributes
    ----------
    serial
        ``_atom_site.id``, for messages.
    name, comp, chain, entity
        ``label_atom_id``, ``label_comp_id``, ``label_asym_id``, ``label_entity_id``.
    author
        ``auth_asym_id``.
    residue
        ``label_seq_id``; 0 where there is none, as for waters and ligands.
    place
        ``auth_seq_id`` with the insertion code.
    alternative
        ``label_alt_id``; empty where the atom has one location.
    occupancy
        1 where the file gives none.
    element
        Upper-case symbol.
    positions
        In Å, float64.
    """

    serial: Text
    name: Text
    comp: Text
    chain: Text
    entity: Text
    author: Text
    residue: npt.NDArray[np.int64]
    place: Text
    alternative: Text
    occupancy: npt.NDArray[np.float64]
    element: Text
    positions: npt.NDArray[np.float64]

    def take(self, rows: npt.NDArray[Any]) -> AtomTable:
        """Return some of the atoms, by mask or index."""
        return AtomTable(**{name: values[rows] for name, values in vars(self).items()})

    def __len__(self) -> int:
        return len(self.serial)

    def numbers(self, path: Path) -> npt.NDArray[np.uint8]:
        """Return atomic numbers.

        Raises
        ------
        IntegrityError
            If an element is unknown; the message names file and atom.
        """
        symbols, rows, inverse = np.unique(self.element, return_index=True, return_inverse=True)
        for symbol, row in zip(symbols, rows, strict=True):
            if str(symbol) not in _NUMBERS:
                raise IntegrityError(
                    f"{path}, atom {self.serial[row]}: {str(symbol)!r} is no element"
                )
        return np.array([_NUMBERS[str(symbol)] for symbol in symbols], np.uint8)[inverse]


def read_block(path: Path, largest: int = LARGEST) -> Any:
    """Return the first data block of a file, plain or gzipped.

    Parameters
    ----------
    largest
        Bytes of the largest file that is read, unpacked.

    Raises
    ------
    IntegrityError
        If the file is too large, not readable text, no mmCIF, or has no block.
    """
    try:
        text = read_contents(path, largest).decode("utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: not a readable mmCIF file: {error}") from error
    try:
        file = pdbx.CIFFile.deserialize(text)
        for name in file:
            return file[name]
    except (DeserializationError, InvalidFileError, ValueError, IndexError, KeyError) as error:
        raise IntegrityError(f"{path}: not an mmCIF file: {error}") from error
    raise IntegrityError(f"{path}: an mmCIF file without a data block")


def columns(block: Any, category: str, path: Path) -> Mapping[str, Text]:
    """Return the columns of a category as text, shape (rows,) each; empty when it is not there.

    Raises
    ------
    IntegrityError
        If the category is damaged.
    """
    try:
        if category not in block:
            return {}
        found = {name: block[category][name].as_array(str) for name in block[category]}
    except (DeserializationError, InvalidFileError, ValueError, IndexError, KeyError) as error:
        raise IntegrityError(f"{path}: damaged category _{category}: {error}") from error
    if len({len(values) for values in found.values()}) > 1:
        raise IntegrityError(f"{path}: the columns of _{category} differ in length")
    return found


def read_atoms(block: Any, path: Path) -> AtomTable:
    """Return the atoms of the first model in the file.

    Raises
    ------
    IntegrityError
        If there are none, or a number cannot be read; the message names file and atom.
    """
    site = columns(block, "atom_site", path)
    for name in ("id", "type_symbol", "label_atom_id", "label_comp_id", "label_asym_id"):
        if name not in site:
            raise IntegrityError(f"{path}: no _atom_site.{name}, so no atoms can be read")
    rows = len(site["id"])
    models = site.get("pdbx_PDB_model_num")
    first = np.ones(rows, bool) if models is None else models == models[0]
    site = {name: values[first] for name, values in site.items()}
    serial = site["id"]

    def text(name: str) -> Text:
        values = site.get(name)
        if values is None:
            return np.zeros(len(serial), "U1")
        return np.where(np.isin(values, _NO_VALUE), "", values)

    def number(name: str, missing: float | None) -> npt.NDArray[np.float64]:
        return _numbers(text(name), serial, f"_atom_site.{name}", missing, path)

    residue = _numbers(text("label_seq_id"), serial, "_atom_site.label_seq_id", 0, path)
    return AtomTable(
        serial=serial,
        name=text("label_atom_id"),
        comp=text("label_comp_id"),
        chain=text("label_asym_id"),
        entity=text("label_entity_id"),
        author=text("auth_asym_id"),
        residue=residue.astype(np.int64),
        place=np.char.add(text("auth_seq_id"), text("pdbx_PDB_ins_code")),
        alternative=text("label_alt_id"),
        occupancy=number("occupancy", 1.0),
        element=np.char.upper(text("type_symbol")),
        positions=np.stack([number(f"Cartn_{axis}", None) for axis in "xyz"], axis=1),
    )


def _numbers(
    values: Text, serial: Text, what: str, missing: float | None, path: Path
) -> npt.NDArray[np.float64]:
    filled = values if missing is None else np.where(values == "", str(missing), values)
    try:
        found = filled.astype(np.float64)
    except ValueError:
        found = np.array([_number(value) for value in filled])
    bad = np.flatnonzero(~np.isfinite(found))
    if len(bad):
        shown = str(values[bad[0]]) or "?"
        raise IntegrityError(f"{path}, atom {serial[bad[0]]}: {what} is {shown!r}, no number")
    return found


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return float("nan")
