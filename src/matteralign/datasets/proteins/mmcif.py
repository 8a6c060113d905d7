"""mmCIF files: the atoms of the first model, and what the file says of its entities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from biotite.file import DeserializationError, InvalidFileError
from biotite.structure.io import pdbx

from matteralign.core.errors import IntegrityError
from matteralign.datasets.base.contents import LARGEST, read_contents
from matteralign.datasets.base.numbers import cif_numbers
from matteralign.datasets.proteins.atoms import (
    AtomTable,
    Entry,
    Polymer,
    Text,
    element_of,
    mostly_amino_acids,
)
from matteralign.datasets.proteins.residues import LETTERS

_NO_VALUE = ("", ".", "?")
_PEPTIDES = ("polypeptide", "cyclic-pseudo-peptide")
_INTEGER = re.compile(r"([+-]?[0-9]+)([A-Za-z]?)")


def read_block(path: Path, largest: int = LARGEST) -> Any:
    """Return the data block of a file, plain or gzipped: the one with atoms.

    Parameters
    ----------
    largest
        Bytes of the largest file that is read, unpacked.

    Raises
    ------
    IntegrityError
        If the file is too large, not readable text, no mmCIF, has no block, or more
        than one with atoms.
    """
    try:
        text = read_contents(path, largest).decode("utf-8")
    except UnicodeDecodeError as error:
        raise IntegrityError(f"{path}: not a readable mmCIF file: {error}") from error
    try:
        file = pdbx.CIFFile.deserialize(text)
        blocks = [file[name] for name in file]
        found = [block for block in blocks if "atom_site" in block] or blocks[:1]
    except (DeserializationError, InvalidFileError, ValueError, IndexError, KeyError) as error:
        raise IntegrityError(f"{path}: not an mmCIF file: {error}") from error
    if not found:
        raise IntegrityError(f"{path}: an mmCIF file without a data block")
    if len(found) > 1:
        raise IntegrityError(f"{path}: {len(found)} structures in one file; write each to its own")
    return found[0]


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


def read_entry(block: Any, path: Path) -> Entry:
    """Return the atoms of the first model, the sequences of entities and the named parents.

    Raises
    ------
    IntegrityError
        If a category is damaged, there are no atoms, or a number cannot be read; the message
        names file and record.
    """
    parents = _parents(block, path)
    polymers = _polymers(block, parents, path)
    return Entry(
        atoms=_atoms(block, polymers, path),
        polymers=polymers,
        parents=parents,
        complete=bool(polymers),
        numbering="_entity_poly_seq",
    )


def _parents(block: Any, path: Path) -> dict[str, str]:
    """Return the letter of each modified amino acid that names its parent."""
    found: dict[str, str] = {}
    for category, comp, parent in (
        ("chem_comp", "id", "mon_nstd_parent_comp_id"),
        ("pdbx_struct_mod_residue", "label_comp_id", "parent_comp_id"),
    ):
        table = columns(block, category, path)
        if comp in table and parent in table:
            for name, of in zip(table[comp], table[parent], strict=True):
                if str(of).upper() in LETTERS and str(name) not in LETTERS:
                    found.setdefault(str(name), LETTERS[str(of).upper()])
    return found


def _polymers(block: Any, parents: Mapping[str, str], path: Path) -> dict[str, Polymer]:
    """Return the polymers by entity."""
    table = columns(block, "entity_poly_seq", path)
    if not table:
        return {}
    for name in ("entity_id", "num", "mon_id"):
        if name not in table:
            raise IntegrityError(f"{path}: _entity_poly_seq has no {name}")
    comps: dict[str, list[list[str]]] = {}
    for entity, number, comp in zip(table["entity_id"], table["num"], table["mon_id"], strict=True):
        sequence = comps.setdefault(str(entity), [])
        if str(number) == str(len(sequence) + 1):
            sequence.append([str(comp)])
        elif sequence and str(number) == str(len(sequence)):
            sequence[-1].append(str(comp))
        else:
            raise IntegrityError(
                f"{path}: _entity_poly_seq of entity {entity} has residue {number} after "
                f"{len(sequence)}"
            )
    told = columns(block, "entity_poly", path)
    if "entity_id" not in told:
        told = {}
    rows = {str(entity): row for row, entity in enumerate(told.get("entity_id", []))}
    found = {}
    for entity, sequence in comps.items():
        kind = _cell(told, "type", rows.get(entity))
        letters = "".join(_cell(told, "pdbx_seq_one_letter_code_can", rows.get(entity)).split())
        found[entity] = Polymer(
            sequence,
            protein=any(word in kind for word in _PEPTIDES)
            if kind
            else mostly_amino_acids([mixed[0] for mixed in sequence], parents),
            letters=letters if len(letters) == len(sequence) else "",
        )
    return found


def _cell(table: Mapping[str, Text], column: str, row: int | None) -> str:
    if row is None or column not in table or str(table[column][row]) in _NO_VALUE:
        return ""
    return str(table[column][row])


def _atoms(block: Any, polymers: Mapping[str, Polymer], path: Path) -> AtomTable:
    site = columns(block, "atom_site", path)
    if "id" not in site:
        raise IntegrityError(f"{path}: no _atom_site.id, so no atoms can be read")
    rows = len(site["id"])
    models = site.get("pdbx_PDB_model_num")
    first = np.ones(rows, bool) if models is None else models == models[0]
    site = {name: values[first] for name, values in site.items()}
    serial = site["id"]

    def text(*names: str) -> Text:
        """Return the first of the columns that has a value, row by row."""
        found = np.zeros(len(serial), "U1")
        for name in names:
            values = site.get(name)
            if values is not None:
                empty = (found == "") & ~np.isin(values, _NO_VALUE)
                found = np.where(empty, values, found)
        return found

    def number(name: str, missing: float | None) -> npt.NDArray[np.float64]:
        return _numbers(text(name), serial, f"_atom_site.{name}", missing, path)

    for one, other in (("label_atom_id", "auth_atom_id"), ("label_comp_id", "auth_comp_id")):
        if one not in site and other not in site:
            raise IntegrityError(f"{path}: no _atom_site.{one}, so no atoms can be read")
    name, comp = text("label_atom_id", "auth_atom_id"), text("label_comp_id", "auth_comp_id")
    place = text("label_seq_id")
    chain, author = text("label_asym_id", "auth_asym_id"), text("auth_asym_id", "label_asym_id")
    author_number, insertion = _author_places(site, serial, path)
    element = np.char.upper(text("type_symbol"))
    missing = np.flatnonzero(element == "")
    told = np.array([element_of(str(name[row]), str(comp[row])) for row in missing], "U2")
    element = np.array(element, dtype=np.result_type(element, told))
    element[missing] = told
    return AtomTable(
        serial=serial,
        name=name,
        comp=comp,
        chain=chain,
        author=author,
        entity=_entities(block, text("label_entity_id"), chain, author, polymers, path),
        place=_whole(place, serial, "_atom_site.label_seq_id", path),
        placed=place != "",
        number=author_number,
        insertion=insertion,
        segment=np.zeros(len(serial), np.int64),
        alternative=text("label_alt_id"),
        occupancy=number("occupancy", 1.0),
        hetero=text("group_PDB") == "HETATM",
        element=element,
        positions=np.stack([number(f"Cartn_{axis}", None) for axis in "xyz"], axis=1),
    )


def _author_places(
    site: Mapping[str, Text], serial: Text, path: Path
) -> tuple[npt.NDArray[np.int64], Text]:
    """Return number and insertion code of the residues, of the label where the author has none."""
    given = np.zeros(len(serial), "U1")
    for name in ("auth_seq_id", "label_seq_id"):
        if name in site:
            values = site[name]
            given = np.where((given == "") & ~np.isin(values, _NO_VALUE), values, given)
    unique, inverse = np.unique(given, return_inverse=True)
    numbers, codes = np.zeros(len(unique), np.int64), np.zeros(len(unique), "U8")
    for index, value in enumerate(map(str, unique)):
        match = _INTEGER.fullmatch(value or "0")
        if match is None or len(match[1]) > 15:
            row = int(np.flatnonzero(inverse == index)[0])
            raise IntegrityError(
                f"{path}, atom {serial[row]}: _atom_site.auth_seq_id is {value!r}, no number"
            )
        numbers[index], codes[index] = int(match[1]), match[2]
    insertion = site.get("pdbx_PDB_ins_code", np.zeros(len(serial), "U1"))
    stated = np.where(np.isin(insertion, _NO_VALUE), "", insertion)
    return numbers[inverse], np.where(stated == "", codes[inverse], stated)


def _entities(
    block: Any,
    given: Text,
    chain: Text,
    author: Text,
    polymers: Mapping[str, Polymer],
    path: Path,
) -> Text:
    """Return the entity of each atom, where atoms do not say it that of their chain."""
    if not (given == "").any():
        return given
    asym, poly = columns(block, "struct_asym", path), columns(block, "entity_poly", path)
    by_chain: dict[str, str] = {}
    if "id" in asym and "entity_id" in asym:
        by_chain = dict(zip(map(str, asym["id"]), map(str, asym["entity_id"]), strict=True))
    by_author: dict[str, str] = {}
    if "entity_id" in poly and "pdbx_strand_id" in poly:
        for entity, strands in zip(poly["entity_id"], poly["pdbx_strand_id"], strict=True):
            for strand in str(strands).split(","):
                by_author.setdefault(strand.strip(), str(entity))
    only = next(iter(polymers)) if len(polymers) == 1 else ""
    found = given.astype(object)
    for row in np.flatnonzero(given == ""):
        found[row] = by_chain.get(str(chain[row])) or by_author.get(str(author[row]), only)
    return found.astype(str)


def _numbers(
    values: Text, serial: Text, what: str, missing: float | None, path: Path
) -> npt.NDArray[np.float64]:
    filled = values if missing is None else np.where(values == "", str(missing), values)
    found = cif_numbers(filled)
    bad = np.flatnonzero(np.isnan(found))
    if len(bad):
        shown = str(values[bad[0]]) or "?"
        raise IntegrityError(f"{path}, atom {serial[bad[0]]}: {what} is {shown!r}, no number")
    return found


def _whole(values: Text, serial: Text, what: str, path: Path) -> npt.NDArray[np.int64]:
    found = _numbers(values, serial, what, 0, path)
    uncertain = np.char.find(values, "(") >= 0
    bad = np.flatnonzero((found != np.rint(found)) | (np.abs(found) > 1e15) | uncertain)
    if len(bad):
        raise IntegrityError(
            f"{path}, atom {serial[bad[0]]}: {what} is {str(values[bad[0]])!r}, no whole number"
        )
    return found.astype(np.int64)
