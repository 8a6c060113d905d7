"""The seeded draw: the same rows everywhere, whatever the order of the files."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Sequence

from matteralign.core.errors import UserError


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
    prefix = f"{seed}\0".encode()

    def rank(identifier: str) -> tuple[bytes, str]:
        return hashlib.sha256(prefix + identifier.encode()).digest(), identifier

    return heapq.nsmallest(n, ids, key=rank)
