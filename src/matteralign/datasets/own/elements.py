"""Elements as crystallographers write them: symbols with charges, labels, formulas."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fractions import Fraction

from ase.data import atomic_numbers, chemical_symbols
from ase.formula import Formula

from matteralign.datasets.base.attempt import BadRecordError

_SYMBOL = re.compile(r"([A-Za-z]{1,3})(?:\d*[+-]\d*|\d+|\(.*\))?")
_LETTERS = re.compile(r"[A-Za-z]+")
_PART = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)(?![a-z])")
_HYDROGEN = {"D": 1, "T": 1}

HEAVY_HYDROGEN = "deuterium and tritium are taken as hydrogen"
"""What is warned of where D or T are read."""


def element(symbol: str) -> int | None:
    """Return the atomic number of a symbol in any case, D and T being hydrogen."""
    proper = symbol.capitalize()
    if proper in _HYDROGEN:
        return 1
    found = int(atomic_numbers.get(proper, 0))
    return found or None


def of_type(symbol: str) -> int:
    """Return the element of a type symbol: ``Na``, ``NA``, ``Na1+``, ``O2-``, ``Fe3``.

    Raises
    ------
    BadRecordError
        If it is none: a group of atoms such as ``OH`` or ``Wat``, a dummy.
    """
    match = _SYMBOL.fullmatch(symbol.strip())
    found = None if match is None else element(match[1])
    if found is None:
        raise BadRecordError(f"{symbol!r} is no element")
    return found


def of_label(label: str, formula: Collection[int] | None) -> int:
    """Return the element of a label, where a file has no type symbols: ``Ca1``, ``O1W``, ``CL2``.

    Parameters
    ----------
    formula
        Elements of the file's formula, None where it has none.

    Raises
    ------
    BadRecordError
        If the letters it begins with may mean two elements, or none.
    """
    match = _LETTERS.match(label)
    letters = "" if match is None else match[0]
    two = element(letters[:2]) if len(letters) > 1 else None
    one = element(letters[:1]) if letters else None
    candidates = {found for found in (two, one) if found is not None}
    if formula is not None:
        candidates &= set(formula)
    elif len(letters) > 2:  # Wat is no tungsten
        candidates = set()
    if letters[1:2].islower() and two in candidates:
        candidates = {two}  # Ca: carbon would be CA
    if len(candidates) != 1:
        names = " or ".join(chemical_symbols[z] for z in sorted(candidates)) or "none"
        raise BadRecordError(f"the label {label!r} may mean the elements: {names}; name its type")
    return candidates.pop()


def read_formula(text: str) -> dict[int, Fraction] | None:
    """Return the atoms of each element in a formula such as ``H2 Mg O2``; None: unreadable."""
    counts: dict[int, Fraction] = {}
    words = text.split()
    for word in words:
        # A word of capitals, as old files write them, is one element: CL2.
        alone = re.fullmatch(r"([A-Za-z]{1,2})(\d*\.?\d*)", word)
        parts = [alone.groups()] if alone and len(words) > 1 else _PART.findall(word)
        if "".join(symbol + count for symbol, count in parts) != word:
            return None
        for symbol, count in parts:
            found = element(symbol)
            if found is None or count == ".":
                return None
            counts[found] = counts.get(found, Fraction(0)) + Fraction(count or 1)
    return {z: count for z, count in counts.items() if count} or None


def read_unit(text: str) -> dict[int, Fraction] | None:
    """Return the atoms of a formula with brackets, such as ``Ca(CO3)``; None: unreadable."""
    try:
        counts = Formula(text.replace(" ", "")).count()
    except ValueError:
        return None
    found: dict[int, Fraction] = {}
    for symbol, count in counts.items():
        number = element(symbol)
        if number is None:
            return None
        found[number] = found.get(number, Fraction(0)) + count  # D beside H
    return found or None


def disagreement(
    atoms: Mapping[int, int], formula: Mapping[int, Fraction], units: Fraction | None
) -> str | None:
    """Return how the atoms of a cell differ from a formula, None where they agree.

    Parameters
    ----------
    units
        Formula units of the cell; None: any number.
    """
    if units is None:
        shares = {Fraction(atoms.get(z, 0)) / count for z, count in formula.items()}
        if set(atoms) == set(formula) and len(shares) == 1:
            return None
    elif all(atoms.get(z, 0) == formula.get(z, 0) * units for z in {*atoms, *formula}):
        return None
    times = "" if units is None else f" × {units}"
    return f"its formula is {_written(formula)}{times}, the sites make {_written(atoms)}"


def _written(counts: Mapping[int, int] | Mapping[int, Fraction]) -> str:
    numbers = {z: "" if count == 1 else f"{float(count):g}" for z, count in counts.items()}
    return "".join(f"{chemical_symbols[z]}{number}" for z, number in sorted(numbers.items()))
