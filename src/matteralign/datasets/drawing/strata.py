"""Strata: groups of rows of which each gets its share of a draw."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from matteralign.store.structures import Structure

Stratify = Literal["atoms", "composition", "split"]


def stratum_of(structure: Structure, by: Stratify) -> str:
    """Return the name of the group that a structure belongs to.

    ``atoms``: the number of atoms; ``composition``: the set of elements, ``C-H-O``; ``split``:
    the dataset's own split, empty where a row has none.
    """
    if by == "atoms":
        return str(structure.n_atoms)
    if by == "split":
        return structure.split or ""
    from ase.data import chemical_symbols

    return "-".join(sorted({chemical_symbols[z] for z in structure.numbers}))


def shares(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    """Share out `n` rows in proportion to the groups' sizes, by largest remainders.

    A group of N_s of N rows gets the whole part of n·N_s/N; what is left goes one by one to
    the groups with the largest fractional parts, of equals to the first by name (Hamilton's
    method). No group gets more rows than it has.

    Raises
    ------
    ValueError
        If the groups have fewer than `n` rows.
    """
    total = sum(sizes.values())
    if n > total:
        raise ValueError(f"{n} rows of {total}")
    # Fractions: the shares must not depend on how a machine rounds.
    exact = {name: Fraction(n * size, total) for name, size in sizes.items() if size}
    given = {name: int(share) for name, share in exact.items()}
    left = n - sum(given.values())
    order = sorted(exact, key=lambda name: (given[name] - exact[name], name))
    for name in order[:left]:
        given[name] += 1
    return given
