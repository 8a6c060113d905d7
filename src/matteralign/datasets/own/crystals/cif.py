"""A folder of CIF files of crystals, one crystal each.

The syntax and the table of space groups are gemmi's (Wojdyr, J. Open Source Softw. 2022, 7,
4200); names of fields and their defaults are those of the core dictionary of CIF.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import gemmi
import numpy as np
import numpy.typing as npt
from ase import Atoms
from ase.geometry import cellpar_to_cell

from matteralign.datasets.base.attempt import BadRecordError, RecordWarning, blamed
from matteralign.datasets.base.consistency import CLOSEST, closest_pair
from matteralign.datasets.base.contents import read_contents
from matteralign.datasets.base.numbers import CifNumber, cif_number
from matteralign.datasets.base.text import flaw, printable
from matteralign.datasets.own.crystals.symmetry import Array, Setting, orbit, symmetry_of
from matteralign.datasets.own.elements import (
    HEAVY_HYDROGEN,
    disagreement,
    of_label,
    of_type,
    read_formula,
    read_unit,
)
from matteralign.datasets.own.fields import (
    Fields,
    check_cell,
    structure_of,
    wrong_count,
)
from matteralign.datasets.own.folders import files_of, stem
from matteralign.datasets.own.own import Format, Record
from matteralign.store.structures import Structure

_LARGEST = 1 << 24  # bytes of a file
_MOST_SITES = 10_000
_SPLIT = 0.25
"""Å. Images of a site that are closer and make more atoms than the formula has are one atom."""
_VOLUME = 0.02
"""Share by which the volume of a file may differ: one of 2,277 published ones does by 1 %."""
_NOTHING = frozenset({"?", ".", ""})
# Error of a fractional coordinate, whatever its digits: single precision on one side, rounding to
# two digits on the other.
_FINEST, _COARSEST = 5e-5, 5e-3


class CifFolder(Format):
    """Every ``.cif`` and ``.cif.gz`` below the folder; the id is the path without the suffix."""

    def records(self, places: Collection[str] | None = None) -> Iterator[Record]:
        """Yield the crystals in the order of their paths."""
        for path in files_of("cif-folder", self.path):
            name = path.relative_to(self.path).as_posix()
            place = printable(name)
            if places is None or place in places:
                identifier = stem(place, "cif-folder")
                make = partial(_make, path, identifier, place)
                yield Record(place, None if flaw(identifier) else identifier, make)


def _make(path: Path, identifier: str, place: str) -> Structure:
    raw = read_contents(path, _LARGEST)
    with blamed("not readable as CIF"):
        # Names of authors may be in any encoding; nothing that is read here is.
        # Unchecked: tags that are there twice, as one large database has them, are seen to below.
        document = gemmi.cif.read_string(raw.decode("utf-8", "replace"), 0)
    blocks = [block for block in map(_Block, document) if block.has_sites]
    if len(blocks) != 1:
        raise BadRecordError(f"{len(blocks)} crystals in it; a file has one")
    return structure_of(_crystal(blocks[0]), Fields(identifier), place)


class _Block:
    """The values of a block, by tags of either version of the dictionary."""

    def __init__(self, block: gemmi.cif.Block) -> None:
        self._pairs: dict[str, list[str]] = {}
        self._loops: dict[str, list[tuple[gemmi.cif.Loop, int]]] = {}
        item: Any
        for item in block:
            if item.pair is not None:
                self._pairs.setdefault(_plain(item.pair[0]), []).append(item.pair[1])
            elif item.loop is not None:
                for at, tag in enumerate(item.loop.tags):
                    self._loops.setdefault(_plain(tag), []).append((item.loop, at))

    @property
    def has_sites(self) -> bool:
        return any(self.column(f"_atom_site_{name}") for name in ("fract_x", "Cartn_x", "label"))

    def value(self, *tags: str) -> str | None:
        """Return the first value that is one; None: there is none, or it is ``?`` or ``.``."""
        found = (text for text in map(self.told, tags) if text is not None)
        return next((text for text in found if text not in _NOTHING), None)

    def told(self, tag: str) -> str | None:
        """Return the value of a tag, also where it says that there is none."""
        column = self.column(tag)
        return column[0].strip() if column else None

    def column(self, *tags: str) -> list[str]:
        """Return the values of the first of these tags that is there, without quotes."""
        for tag in tags:
            plain = _plain(tag)
            columns = [[text] for text in self._pairs.get(plain, ())]
            columns += [loop.values[at :: loop.width()] for loop, at in self._loops.get(plain, ())]
            found = [[gemmi.cif.as_string(text) for text in column] for column in columns]
            told = [column for column in found if not _NOTHING.issuperset(column)] or found[:1]
            if any(column != told[0] for column in told):
                raise BadRecordError(f"{tag} is there {len(told)} times, with different values")
            if told:
                return told[0]
        return []


def _plain(tag: str) -> str:
    """Return a tag as both versions of the dictionary have it: without case and points."""
    return tag.lower().replace(".", "_")


@dataclass(frozen=True)
class _Site:
    """A site of the list.

    Attributes
    ----------
    label
        For messages.
    number
        Atomic number.
    position, error
        Fractional coordinates, and how far each may be off for its digits; shape (3,).
    """

    label: str
    number: int
    position: Array
    error: Array


@dataclass(frozen=True)
class _Arrangement:
    """The atoms of a cell: each with the site it comes from, fractional coordinates (n, 3)."""

    sites: Sequence[_Site]
    of: Sequence[int]
    positions: Array
    cell: Array

    @property
    def atoms(self) -> Atoms:
        numbers = [self.sites[site].number for site in self.of]
        return Atoms(numbers=numbers, scaled_positions=self.positions, cell=self.cell, pbc=True)

    def refuse_close(self) -> None:
        close = closest_pair(self.positions @ self.cell, self.cell, np.ones(3, bool))
        if close is not None:
            one, other = (self.sites[self.of[atom]].label for atom in close[:2])
            pair = f"{one} and an image of it" if one == other else f"{one} and {other}"
            raise BadRecordError(f"atoms {pair} are {close[2]:.3f} Å apart")

    def same_as(self, other: _Arrangement) -> bool:
        if list(self.of) != list(other.of):
            return False
        way = self.positions[:, None] - other.positions[None]
        near = (np.abs(way - np.rint(way)) < 1e-6).all(axis=2)
        alike = np.equal.outer(np.array(self.of), np.array(other.of))
        return bool((near & alike).any(axis=1).all())


def _crystal(block: _Block) -> Atoms:
    if block.value("_cell_modulation_dimension") not in (None, "0"):
        raise BadRecordError("its structure is modulated: no cell holds it")
    cell = _cell(block)
    text = block.value("_chemical_formula_sum")
    formula = None if text is None else read_formula(text)
    if text is not None and formula is None:
        warnings.warn("the formula cannot be read and is not compared", RecordWarning, stacklevel=1)
    sites = _sites(block, formula)
    symmetry = symmetry_of(block.value, block.column, cell)
    units = _units(block, formula)
    known = formula is not None and units is not None
    if symmetry.contradiction is not None and not known:
        raise BadRecordError(f"{symmetry.contradiction}, and no formula with Z tells which holds")
    found, reasons = list[_Arrangement](), list[str]()
    for setting in symmetry.settings:
        for wide in (False, True) if known else (False,):
            try:
                made = _arranged(sites, setting, cell, wide)
                made.refuse_close()
                if formula is not None:
                    counts = Counter(sites[site].number for site in made.of)
                    wrong = disagreement(counts, formula, units)
                    if wrong is not None:
                        raise BadRecordError(wrong)
            except BadRecordError as error:
                reasons.append(str(error))
                continue
            if wide:
                warnings.warn(
                    "a site is farther from its special position than its digits explain, and was "
                    "moved to it, as the formula has it",
                    RecordWarning,
                    stacklevel=1,
                )
            found.append(made)
            break
    if not found:
        raise BadRecordError(reasons[0])
    if any(not found[0].same_as(other) for other in found[1:]):
        names = ", ".join(setting.name for setting in symmetry.settings)
        raise BadRecordError(f"its space group may be any of {names}, which make other crystals")
    if symmetry.contradiction is not None:
        warnings.warn(symmetry.contradiction, RecordWarning, stacklevel=1)
    return found[0].atoms


def _cell(block: _Block) -> Array:
    lengths = [_length(block, f"_cell_length_{axis}") for axis in "abc"]
    angles = [_angle(block, f"_cell_angle_{angle}") for angle in ("alpha", "beta", "gamma")]
    one, two, three = np.cos(np.radians(angles))
    if one**2 + two**2 + three**2 - 2 * one * two * three >= 1:
        raise BadRecordError(f"no cell has the angles {', '.join(f'{a:g}°' for a in angles)}")
    cell = np.asarray(cellpar_to_cell([*lengths, *angles]), np.float64)
    check_cell(cell, np.ones(3, bool))
    volume, told = abs(float(np.linalg.det(cell))), block.value("_cell_volume") or ""
    number = cif_number(told)
    if number is not None and abs(number.value - volume) > _VOLUME * volume:
        raise BadRecordError(
            f"its lengths and angles make a volume of {volume:.2f} Å³, _cell_volume is {told}"
        )
    return cell


def _length(block: _Block, tag: str) -> float:
    text = block.value(tag)
    if text is None:
        raise BadRecordError(f"{tag} is not there")
    found = _number(text, tag)[0]
    if found <= 0:
        raise BadRecordError(f"{tag} is {text}, no length")
    return found


def _angle(block: _Block, tag: str) -> float:
    text = block.told(tag)
    if text is None or text == ".":
        warnings.warn(f"{tag} is not there and taken as 90°", RecordWarning, stacklevel=1)
        return 90.0
    if text in _NOTHING:
        raise BadRecordError(f"{tag} is not known")
    found = _number(text, tag)[0]
    if not 0 < found < 180:
        raise BadRecordError(f"{tag} is {text}, no angle of a cell")
    return found


def _units(block: _Block, formula: dict[int, Fraction] | None) -> Fraction | None:
    """Return how many formulas the cell holds."""
    text = block.value("_cell_formula_units_Z")
    if text is None:
        return None
    found = Fraction(_number(text, "_cell_formula_units_Z")[0]).limit_denominator(100)
    unit = read_unit(block.value("_chemical_formula_structural") or "")
    if formula and unit and {z: found * count for z, count in unit.items()} == formula:
        return Fraction(1)  # pymatgen writes the sum of the whole cell
    return found if found > 0 else None


def _number(text: str, what: str) -> CifNumber:
    found = cif_number(text)
    if found is None:
        raise BadRecordError(f"{what} is {text!r}, no number")
    return found


def _sites(block: _Block, formula: dict[int, Fraction] | None) -> list[_Site]:
    axes = [block.column(f"_atom_site_fract_{axis}") for axis in "xyz"]
    if not all(axes):
        raise BadRecordError("it has no fractional coordinates (_atom_site_fract_x, y, z)")
    wrong = wrong_count(len(axes[0]), _MOST_SITES)
    if wrong is not None:
        raise BadRecordError(f"sites as {wrong} from CIF; extended XYZ takes more")
    names = ("label", "type_symbol", "occupancy", "calc_flag", "disorder_group",
             "attached_hydrogens")  # fmt: skip
    columns = {name: block.column(f"_atom_site_{name}") for name in names}
    for name, texts in {**columns, "fract_y": axes[1], "fract_z": axes[2]}.items():
        if texts and len(texts) != len(axes[0]):
            raise BadRecordError(f"{len(axes[0])} sites, {len(texts)} values of _atom_site_{name}")
    rows: list[dict[str, str]] = [
        {"at": str(at), **{name: texts[at] for name, texts in columns.items() if texts}}
        for at in range(len(axes[0]))
    ]
    # A dummy marks a place, such as the centre of a ring.
    rows = [row for row in rows if row.get("calc_flag", "").lower() != "dum"]
    if not rows:
        raise BadRecordError("all its sites are dummies")
    triples = [[axis[int(row["at"])] for axis in axes] for row in rows]
    labels = [row.get("label") or f"site {int(row['at']) + 1}" for row in rows]
    for label, row, three in zip(labels, rows, triples, strict=True):
        if _NOTHING.intersection(three):
            raise BadRecordError(f"atom {label} has no coordinates")
        _refuse_disorder(label, row)
    read = [
        [_number(text, f"a coordinate of atom {label}") for text in three]
        for label, three in zip(labels, triples, strict=True)
    ]
    # 0.5 beside 0.3333 has four digits too.
    finest = max(digits for three in read for _, digits in three)
    return [
        _Site(
            label,
            _element(row, label, formula),
            np.array([number for number, _ in three]),
            np.array([_error(number, digits, finest) for number, digits in three]),
        )
        for label, row, three in zip(labels, rows, read, strict=True)
    ]


def _refuse_disorder(label: str, row: dict[str, str]) -> None:
    text = row.get("occupancy", ".")
    if text not in _NOTHING and abs(_number(text, f"the occupancy of {label}")[0] - 1) > 1e-3:
        raise BadRecordError(
            f"sites are occupied in part ({label}: {text}): no single arrangement of atoms"
        )
    if row.get("disorder_group", ".") not in _NOTHING | {"0", "1"}:
        raise BadRecordError(
            f"{label} is of disorder group {row['disorder_group']}: no single arrangement of atoms"
        )
    if row.get("attached_hydrogens", ".") not in _NOTHING | {"0"}:
        raise BadRecordError(
            f"{row['attached_hydrogens']} hydrogens of {label} have no coordinates"
        )


def _element(row: dict[str, str], label: str, formula: dict[int, Fraction] | None) -> int:
    symbol = row.get("type_symbol", ".")
    if symbol in _NOTHING:
        number = of_label(label, formula)
    else:
        try:
            number = of_type(symbol)
        except BadRecordError as error:
            raise BadRecordError(f"atom {label}: {error}") from error
    if number == 1 and (label if symbol in _NOTHING else symbol)[:1].upper() in ("D", "T"):
        warnings.warn(HEAVY_HYDROGEN, RecordWarning, stacklevel=1)
    return number


def _error(number: float, digits: int, finest: int) -> float:
    """Return how far a coordinate may be off: half of its last digit.

    A third or a sixth may have fewer digits than the others, and may be cut instead of rounded.
    """
    sixths = round(number * 6)
    if digits >= 2 and sixths % 3 and abs(number - sixths / 6) < 1.001 * 10.0**-digits:
        return max(1.001 * 10.0**-digits, _FINEST)
    return min(max(0.5 * 10.0**-finest, _FINEST), _COARSEST)


def _near(cell: Array, limit: float | Array, far: float, way: Array) -> npt.NDArray[np.bool_]:
    """Return whether ways, as fractional coordinates, are within their errors and short."""
    within: npt.NDArray[np.bool_] = np.all(np.abs(way) <= limit, axis=1)
    short: npt.NDArray[np.bool_] = np.linalg.norm(way @ cell, axis=1) < far
    return within & short


def _arranged(sites: Sequence[_Site], setting: Setting, cell: Array, wide: bool) -> _Arrangement:
    of, positions = list[int](), list[Array]()
    for index, site in enumerate(sites):
        limit = np.inf if wide else setting.spread @ site.error + 1e-9
        far = _SPLIT if wide else CLOSEST
        try:
            found = orbit(site.position, setting, partial(_near, cell, limit, far))
        except BadRecordError as error:
            raise BadRecordError(f"atom {site.label}: {error}") from error
        of += [index] * len(found)
        positions.append(found)
    return _Arrangement(sites, of, np.concatenate(positions), cell)
