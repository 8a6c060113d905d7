"""How the rows of a sample set are cut into pieces and panels for the passes.

A piece never crosses the border of a jackknife block, so every sum over a piece belongs to
one pair of blocks. The cut depends on the borders of the blocks alone: sums come out the same
whichever models are compared together.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

PIECE = 640
"""Most rows of a piece: its tiles stay in the second-level cache of a core."""

PANEL = 2048
"""Most columns of a panel, wide enough for the matrix product to reach full speed."""


@dataclass(frozen=True)
class Piece:
    """A run of rows inside one block."""

    start: int
    stop: int
    block: int

    @property
    def size(self) -> int:
        """Rows of the piece."""
        return self.stop - self.start


@dataclass(frozen=True)
class Step:
    """One panel of columns with every piece of rows up to and including its own.

    Attributes
    ----------
    panel : tuple of Piece
        The columns.
    rows : tuple of Piece
        Every piece that starts before the panel ends: the last ones are the panel's own.
    """

    panel: tuple[Piece, ...]
    rows: tuple[Piece, ...]

    @property
    def start(self) -> int:
        """First column."""
        return self.panel[0].start

    @property
    def stop(self) -> int:
        """One past the last column."""
        return self.panel[-1].stop

    def columns_of(self, piece: Piece) -> tuple[Piece, ...]:
        """Return the pieces of the panel that `piece` meets: its own and those behind it."""
        return tuple(p for p in self.panel if p.start >= piece.start)


def pieces(edges: Sequence[int], largest: int = PIECE) -> list[Piece]:
    """Cut rows into pieces of nearly equal size inside blocks with these borders."""
    out = []
    for block, (low, high) in enumerate(pairwise(edges)):
        count = max(1, math.ceil((high - low) / largest))
        cuts = [int(low + (i * (high - low)) // count) for i in range(count + 1)]
        out += [Piece(a, b, block) for a, b in pairwise(cuts) if b > a]
    return out


def steps(
    edges: Sequence[int],
    cuts: Collection[int] = (),
    widest: int = PANEL,
    largest: int = PIECE,
) -> Iterator[Step]:
    """Yield panels in ascending order, each with the rows of the upper triangle above it.

    After a step everything is complete for the rows and columns up to its end: a leading run
    of rows is finished as a sample of its own. A panel ends at each of `cuts`, which are
    borders of blocks.
    """
    parts = pieces(edges, min(largest, widest))
    first = 0
    while first < len(parts):
        last = first + 1
        while (
            last < len(parts)
            and parts[last].stop - parts[first].start <= widest
            and parts[last].start not in cuts
        ):
            last += 1
        yield Step(tuple(parts[first:last]), tuple(parts[:last]))
        first = last


def row_blocks(n: int, bytes_per_row: int, memory_bytes: int) -> Iterator[slice]:
    """Yield slices that cover ``range(n)``, each within the memory bound (at least one row)."""
    step = max(1, min(n, memory_bytes // max(1, bytes_per_row)))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))
