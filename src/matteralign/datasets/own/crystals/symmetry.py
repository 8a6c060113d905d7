"""Symmetry of a crystal in CIF: its operations, and the atoms that they make of a site."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import gemmi
import numpy as np
import numpy.typing as npt

from matteralign.datasets.base.attempt import BadRecordError, RecordWarning

Array = npt.NDArray[np.float64]
Value = Callable[..., str | None]
Column = Callable[..., list[str]]

MOST_OPERATIONS = 192
"""Of the space groups with the most."""

_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC = ("_space_group_symop_magn_operation.xyz", "_space_group_symop_magn_operation_xyz")
_CENTRING = ("_space_group_symop_magn_centering.xyz", "_space_group_symop_magn_centering_xyz")
_HALL = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall")
_NAMES = (
    "_space_group_name_H-M_alt", "_symmetry_space_group_name_H-M", "_space_group_name_H-M_full",
    "_space_group_name_H-M_ref",
)  # fmt: skip
_NUMBERS = ("_space_group_IT_number", "_symmetry_Int_Tables_number")
# What ends a name: origin choices as the Inorganic Crystal Structure Database writes them too.
_CHOICE = re.compile(r"^(.+?)\s*(?::\s*|\s+|(?<=[a-z]))([12ZSHR])$", re.IGNORECASE)
_ORIGIN = re.compile(r"\(?\s*origin(?:\s+choice)?\s*([12])\s*\)?", re.IGNORECASE)
_EXTENSION = {"Z": "2", "S": "1"}
# Share of a product of two cell vectors by which an operation may change it.
_METRIC = 0.02


@dataclass(frozen=True, eq=False)
class Setting:
    """The operations of a space group in one setting, all of them, centring included.

    Attributes
    ----------
    name
        For messages.
    rotations
        Shape (n, 3, 3), of fractional coordinates.
    translations
        Shape (n, 3).
    """

    name: str
    rotations: Array
    translations: Array

    def __len__(self) -> int:
        return len(self.rotations)

    def fits(self, cell: Array) -> bool:
        """Return whether the cell has this symmetry: vectors as rows, in Å."""
        metric = cell @ cell.T
        lengths = np.sqrt(np.diag(metric))
        turned = np.einsum("nji,jk,nkl->nil", self.rotations, metric, self.rotations)
        return bool((np.abs(turned - metric) <= _METRIC * np.outer(lengths, lengths)).all())

    @cached_property
    def spread(self) -> Array:
        """How much the error of each coordinate adds to that of an image, shape (n, 3, 3)."""
        found: Array = np.abs(self.rotations) + np.eye(3)
        return found


@dataclass(frozen=True)
class Symmetry:
    """What a file says of its symmetry.

    Attributes
    ----------
    settings
        Settings that it may mean, those that the cell excludes left out.
    contradiction
        What else in the file says otherwise; None: nothing does.
    """

    settings: Sequence[Setting]
    contradiction: str | None = None


def symmetry_of(value: Value, column: Column, cell: Array) -> Symmetry:
    """Return the settings that a file may mean: by operations, Hall symbol, name or number.

    Parameters
    ----------
    value, column
        Give the first value, and the values, of tags.
    cell
        Vectors in Å, as rows.

    Raises
    ------
    BadRecordError
        If the file says nothing, or nothing that fits the cell.
    """
    listed = _listed(column)
    named, told, against = _named(value)
    if listed is None:
        if not named:
            raise BadRecordError(told or "it has neither symmetry operations nor a space group")
        fitting = [setting for setting in named if setting.fits(cell)]
        if not fitting:
            raise BadRecordError(f"the cell does not have the symmetry of {told}")
        return Symmetry(fitting, against)
    if not listed.fits(cell):
        raise BadRecordError("the cell does not have the symmetry of the listed operations")
    against = None
    if named and not any(_same(listed, setting) for setting in named):
        against = f"the {len(listed)} operations listed are none of {told}"
    return Symmetry([listed], against)


def _listed(column: Column) -> Setting | None:
    texts, centring = column(*_OPERATIONS), list[str]()
    if not texts:
        magnetic = column(*_MAGNETIC)
        # The last part is reversal of time, which moves no atom.
        texts = [text.rpartition(",")[0] for text in magnetic]
        centring = [text.rpartition(",")[0] for text in column(*_CENTRING)]
        if texts:
            warnings.warn("magnetic moments are not kept", RecordWarning, stacklevel=1)
    if not texts:
        return None
    if len(texts) * max(1, len(centring)) > MOST_OPERATIONS:
        raise BadRecordError(f"{len(texts):,} symmetry operations; no space group has them")
    operations = [_operation(text) for text in texts]
    if centring:
        operations = [_operation(c).combine(o) for c in centring for o in operations]
    return _checked(_setting("the operations", operations))


def _operation(text: str) -> gemmi.Op:
    try:
        return gemmi.Op(text).wrap()
    except (ValueError, RuntimeError) as error:
        raise BadRecordError(f"symmetry operation {text!r}: {error}") from error


def _setting(name: str, operations: Sequence[gemmi.Op]) -> Setting:
    unique = {operation.triplet(): operation for operation in operations}
    return Setting(
        name,
        np.array([o.rot for o in unique.values()], np.float64) / gemmi.Op.DEN,
        np.array([o.tran for o in unique.values()], np.float64) / gemmi.Op.DEN,
    )


def _checked(setting: Setting) -> Setting:
    """Refuse a list that lacks operations: a site would lack some of its atoms."""
    there = _keys(setting.rotations, setting.translations)
    for rotation, translation in zip(setting.rotations, setting.translations, strict=True):
        turned = setting.rotations @ rotation
        moved = setting.rotations @ translation + setting.translations
        if not _keys(turned, moved) <= there:
            raise BadRecordError(
                f"the {len(setting)} symmetry operations are no group: some are missing"
            )
    return setting


def _keys(rotations: Array, translations: Array) -> set[bytes]:
    steps = np.rint(translations * gemmi.Op.DEN).astype(np.int64) % gemmi.Op.DEN
    whole = np.rint(rotations * gemmi.Op.DEN).astype(np.int64)
    return {row.tobytes() for row in np.concatenate([whole.reshape(-1, 9), steps], axis=1)}


def _same(one: Setting, other: Setting) -> bool:
    return _keys(one.rotations, one.translations) == _keys(other.rotations, other.translations)


def _named(value: Value) -> tuple[list[Setting], str, str | None]:
    """Return the settings that Hall symbol, name or number may mean, what that is, and what not.

    The last is how the Hall symbol contradicts name or number, None where it does not.
    """
    groups, told = _groups(value)
    settings = [_setting(group.xhm(), list(group.operations())) for group in groups]
    symbol = value(*_HALL)
    hall = None if symbol is None else _of_hall(symbol)
    if hall is None:
        return settings, told, None
    against = None
    if settings and not any(_same(hall, setting) for setting in settings):
        against = f"the Hall symbol {symbol!r} is not of {told}"
    return [hall], repr(symbol), against


def _of_hall(symbol: str) -> Setting | None:
    """Return the setting of a Hall symbol; None where it cannot be read, often for its spelling."""
    try:
        operations = gemmi.symops_from_hall(symbol)
    except (ValueError, RuntimeError):
        return None
    return _setting(symbol, list(operations)) if len(operations) else None


def _groups(value: Value) -> tuple[list[gemmi.SpaceGroup], str]:
    """Return the settings of the table that name or number may mean, and what that is."""
    name, number = value(*_NAMES), value(*_NUMBERS)
    groups = [] if name is None else groups_named(name)
    if number is None or not number.isdecimal():
        number = None
    elif groups and int(number) != groups[0].number:
        raise BadRecordError(
            f"its space group {name!r} is number {groups[0].number}, the file says {number}"
        )
    if groups:
        return groups, repr(name)
    if number is not None:
        groups = [group for group in gemmi.spacegroup_table() if group.number == int(number)]
        return groups, f"space group {number}" if groups else f"there is no space group {number}"
    return [], "" if name is None else f"the space group {name!r} is not known"


def groups_named(name: str) -> list[gemmi.SpaceGroup]:
    """Return the settings that a Hermann-Mauguin name may mean; none: it is unknown.

    ``F d -3 m`` may be of either origin, ``R -3 m`` of hexagonal or rhombohedral axes; `:1`,
    `:2`, `:H`, `:R` and the letters S and Z (first and second origin) say which.
    """
    text = re.sub(r"\((\d)\)", r"\1", name.strip())  # P2(1)/c
    choice = None
    origin = _ORIGIN.search(text)
    if origin is not None:
        choice, text = origin[1], _ORIGIN.sub("", text).strip(" :")
    found = _group(text)
    ending = _CHOICE.match(text)
    if choice is None and ending is not None:
        base = _group(ending[1])
        letter = _EXTENSION.get(ending[2].upper(), ending[2].upper())
        if base is not None and letter in {group.ext for group in _like(base)}:
            found, choice = base, letter
    if found is None:
        return []
    every = _like(found)
    return every if choice is None else [group for group in every if group.ext == choice] or every


def _group(name: str) -> gemmi.SpaceGroup | None:
    return gemmi.find_spacegroup_by_name(name)


def _like(group: gemmi.SpaceGroup) -> list[gemmi.SpaceGroup]:
    """Return a group in all settings that share its name."""
    return [other for other in gemmi.spacegroup_table() if other.hm == group.hm]


def orbit(site: Array, by: Setting, near: Callable[[Array], npt.NDArray[np.bool_]]) -> Array:
    """Return the positions that a site and its symmetry make, the site's own first.

    A site that operations leave where it is, as far as `near` can tell, is moved to the place
    that they leave exactly: the mean of its images.

    Parameters
    ----------
    site
        Fractional coordinates, shape (3,).
    by
        The symmetry.
    near
        Tells for the way from the site to the image of each operation, shape (n, 3), whether it
        is none.

    Returns
    -------
    array of shape (n / order of the site's symmetry, 3), inside the cell

    Raises
    ------
    BadRecordError
        If the operations that leave it are no group: it is neither on nor off an element.
    """
    images = by.rotations @ site + by.translations
    way = images - site
    shift = np.rint(way)
    leave = near(way - shift)
    exact = (images - shift)[leave].mean(axis=0)
    images = by.rotations @ exact + by.translations
    same = np.abs((images - exact) - np.rint(images - exact)).max(axis=1) < 1e-6
    inside = images - np.floor(images)
    # Images of an exact place differ by rounding alone, and the odd shift keeps it off the bins.
    _, first = np.unique(
        np.floor((inside + 0.0123456789) * 1e5).astype(np.int64) % 100_000,
        axis=0,
        return_index=True,
    )
    if not (same == leave).all() or len(first) * int(leave.sum()) != len(by):
        raise BadRecordError("it lies too near an element of symmetry to tell whether on it")
    found: Array = inside[np.sort(first)]
    return found
