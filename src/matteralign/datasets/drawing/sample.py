"""The seeded order of rows: the same everywhere, whatever the order of the files."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from functools import partial

from matteralign.core.errors import UserError

_FIRST = 1024
_GROWTH = 8


def draw(ids: Sequence[str], n: int, seed: int) -> list[str]:
    """Draw `n` ids without replacement.

    Every id gets the rank SHA-256(seed, id); the n smallest are taken in the order of their
    ranks. The draw depends on the set of ids and the seed alone, not on file order, platform
    or library version, and a larger n extends a smaller one.

    Raises
    ------
    UserError
        If fewer than `n` ids exist.
    """
    if n > len(ids):
        raise UserError(f"{n} structures were asked for, the dataset has {len(ids)}")
    return heapq.nsmallest(n, ids, key=partial(rank, seed))


def ranked(ids: Sequence[str], seed: int, first: int = _FIRST) -> Iterator[str]:
    """Yield ids in the order of `draw`; of millions only those asked for are ranked.

    Parameters
    ----------
    first
        How many are ranked at once to begin with.
    """
    done, wanted = 0, max(1, first)
    while done < len(ids):
        wanted = min(wanted, len(ids))
        yield from draw(ids, wanted, seed)[done:]
        done, wanted = wanted, wanted * _GROWTH


def rank(seed: int, identifier: str) -> tuple[bytes, str]:
    """Return what an id is ordered by."""
    return hashlib.sha256(f"{seed}\0".encode() + identifier.encode()).digest(), identifier
