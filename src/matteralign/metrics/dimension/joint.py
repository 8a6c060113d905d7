"""Exact distances to the nearest two rows in the joint spaces of many pairs of embeddings.

Half squared distances of the joint space are the sums of those of its two embeddings, so a
tile of inner products per embedding serves every pair it is in. Tiles are float32 on
standardised rows; `settle` makes the result equal to float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from matteralign.metrics.base.inputs import (
    BoolArray,
    FloatArray,
    IndexArray,
    LongArray,
    RealArray,
    SingleArray,
)
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.dimension.joint_loops import (
    CANDIDATES,
    resolve,
    scan_permuted,
    scan_tile,
    settle,
)
from matteralign.metrics.embedding.standard import Standard, first_of_codes

TILE = 512
"""Rows and columns of a tile: a stripe of every embedding's fits in the second-level cache."""

GROUP = 256
"""Rows among which a permutation exchanges; see `permutations`."""

Step = Callable[[], None]


@dataclass(frozen=True)
class Space:
    """Embeddings in working form and the pairs among them.

    Attributes
    ----------
    embeddings : sequence of Standard
    single : sequence of ndarray of float32, shapes (n, d_m)
        Standardised rows.
    half : sequence of ndarray of float64, shape (n,)
        Half the squared norms of the standardised rows.
    first, second : ndarray of int32, shape (P,)
        Embeddings of each pair; ``second == len(embeddings)`` for an embedding on its own.
    """

    embeddings: Sequence[Standard]
    single: Sequence[SingleArray]
    half: Sequence[FloatArray]
    first: IndexArray
    second: IndexArray

    @property
    def n(self) -> int:
        """Rows of every embedding."""
        return len(self.half[0])

    def side(self, m: int) -> tuple[RealArray, FloatArray]:
        """Return rows and column weights of embedding `m`; one zero column beyond the last."""
        if m == len(self.embeddings):
            return np.zeros((self.n, 1)), np.zeros(1)
        return self.embeddings[m].x, self.embeddings[m].weight

    def keep(self, p: int, partner: LongArray) -> BoolArray | None:
        """Return which rows of pair `p` are the first of identical ones, None for all."""
        a, b = int(self.first[p]), int(self.second[p])
        alone = b == len(self.embeddings)
        if self.embeddings[a].distinct == self.n or (
            not alone and self.embeddings[b].distinct == self.n
        ):
            return None
        code = self.embeddings[a].code
        if not alone:
            code = code * self.embeddings[b].distinct + self.embeddings[b].code[partner]
        return first_of_codes(code)

    def norm(self, p: int, partner: LongArray) -> FloatArray:
        """Return half the squared joint norms of pair `p`."""
        b = int(self.second[p])
        own = self.half[int(self.first[p])]
        return own if b == len(self.embeddings) else own + self.half[b][partner]


def nearest_two(
    space: Space, pool: Workers, step: Step
) -> tuple[Annotated[FloatArray, "P n 2"], Annotated[IndexArray, "P n"]]:
    """Return the nearest two rows of every row, for every pair.

    Returns
    -------
    ndarray of float64, shape (P, n, 2)
        Half squared distances; infinite for rows left out as duplicates.
    ndarray of int32, shape (P, n)
        The nearest row, -1 for rows left out.
    """
    n, count, embeddings = space.n, len(space.first), len(space.embeddings)
    same = np.arange(n)
    kept = [space.keep(p, same) for p in range(count)]
    half = np.empty((count, n), np.float32)
    for p, mask in enumerate(kept):
        norm = space.norm(p, same)
        half[p] = norm if mask is None else np.where(mask, norm, np.inf)
    value = np.full((count, n, CANDIDATES), np.inf, np.float32)
    index = np.full((count, n, CANDIDATES), -1, np.int32)
    worst = np.full((count, n), np.inf, np.float32)
    products = np.zeros((embeddings + 1, min(TILE, n) ** 2), np.float32)
    shares = np.linspace(0, count, min(pool.threads, count) + 1).astype(int)

    for rows, columns in _tiles(n):
        shape = rows[1] - rows[0], columns[1] - columns[0]

        def multiply(
            m: int,
            rows: tuple[int, int] = rows,
            columns: tuple[int, int] = columns,
            shape: tuple[int, int] = shape,
        ) -> None:
            out = products[m, : shape[0] * shape[1]].reshape(shape)
            x = space.single[m]
            np.matmul(x[slice(*rows)], x[slice(*columns)].T, out=out)
            if rows == columns:
                np.fill_diagonal(out, -np.inf)

        def scan(
            share: int, rows: tuple[int, int] = rows, columns: tuple[int, int] = columns
        ) -> None:
            pairs = int(shares[share]), int(shares[share + 1])
            scan_tile(
                products, space.first, space.second, pairs, half, rows, columns, value, index, worst
            )

        pool.map(multiply, range(embeddings))
        pool.map(scan, range(len(shares) - 1))
        if rows == columns:
            step()

    nearest = np.full((count, n, 2), np.inf)
    closest = np.full((count, n), -1, np.int32)

    def finish(p: int) -> None:
        mask = kept[p]
        rows = same if mask is None else np.flatnonzero(mask)
        two, one = np.empty((len(rows), 2)), np.empty(len(rows), np.int32)
        x, y = space.side(int(space.first[p])), space.side(int(space.second[p]))
        norm = space.norm(p, same)
        sure = settle(*x, *y, rows, same, norm, value[p][rows], index[p][rows], two, one)
        unsure = np.flatnonzero(~sure)
        for some in np.array_split(unsure, max(1, -(-len(unsure) // TILE))):
            near = np.add.outer(norm[rows[some]], norm).astype(np.float32)
            for m in (int(space.first[p]), int(space.second[p])):
                if m < embeddings:
                    near -= space.single[m][rows[some]] @ space.single[m].T
            near[np.arange(len(some)), rows[some]] = np.inf
            if mask is not None:
                near[:, ~mask] = np.inf
            for k, r in enumerate(some):
                one[r] = resolve(*x, *y, int(rows[r]), same, norm, near[k], two[r])
        nearest[p, rows], closest[p, rows] = two, one

    pool.map(finish, range(count))
    return nearest, closest


def _tiles(n: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    spans = [(start, min(start + TILE, n)) for start in range(0, n, TILE)]
    # The diagonal first: it gives every row a limit, which spares insertions later.
    above = [(a, b) for i, a in enumerate(spans) for b in spans[i + 1 :]]
    return [(span, span) for span in spans] + above


def permutations(
    n: int, count: int, seed: int
) -> tuple[list[Annotated[LongArray, "g"]], Annotated[LongArray, "count n"]]:
    """Draw groups of rows and permutations within them.

    Rows fall at random into groups of at most `GROUP`, and every permutation exchanges rows
    within the groups only. Such permutations form a subgroup of all, so the test is exact
    (Lehmann & Romano, Testing Statistical Hypotheses, theorem 15.2.1), and a tile of a
    group's rows serves all permutations.

    Returns
    -------
    groups : list of ndarray of int64
        Ascending rows of each group.
    partners : ndarray of int64, shape (count, n)
    """
    rng = np.random.default_rng(seed)
    groups = [np.sort(g) for g in np.array_split(rng.permutation(n), max(1, -(-n // GROUP)))]
    partners = np.empty((count, n), np.int64)
    for partner in partners:
        for group in groups:
            partner[group] = rng.permutation(group)
    return groups, partners


def nearest_two_permuted(
    space: Space,
    groups: Sequence[Annotated[LongArray, "g"]],
    partners: Annotated[LongArray, "Q n"],
    pool: Workers,
    step: Step,
) -> Annotated[FloatArray, "P Q n 2"]:
    """Return the distances of `nearest_two` for every permutation, shape (P, Q, n, 2).

    Pairs of two embeddings only; those with the same `second` are best side by side.
    """
    n, count, embeddings = space.n, len(space.first), len(space.embeddings)
    nearest = np.full((count, len(partners), n, 2), np.inf)
    room = np.empty(embeddings * max(map(len, groups)) * n, np.float32)
    place = np.empty(n, np.int64)
    for group in groups:
        place[group] = np.arange(len(group))
        # Contiguous for every size of group: the kernel is compiled for that.
        minus = room[: embeddings * len(group) * n].reshape(embeddings, len(group), n)

        def fill(m: int, group: LongArray = group, minus: SingleArray = minus) -> None:
            tile = minus[m]
            np.matmul(space.single[m][group], space.single[m].T, out=tile)
            half = space.half[m].astype(np.float32)
            tile -= half
            tile -= half[group, None]
            tile[np.arange(len(group)), group] = -np.inf

        def permuted(q: int, group: LongArray = group, minus: SingleArray = minus) -> None:
            _one_permutation(space, minus, group, partners[q], place, nearest[:, q])

        pool.map(fill, range(embeddings))
        pool.map(permuted, range(len(partners)))
        step()
    return nearest


def _one_permutation(
    space: Space,
    minus: SingleArray,
    group: LongArray,
    partner: LongArray,
    place: LongArray,
    nearest: FloatArray,
) -> None:
    n, count = space.n, len(space.first)
    kept = [space.keep(p, partner) for p in range(count)]
    keep = np.empty((count, 0), np.bool_)
    if any(mask is not None for mask in kept):
        keep = np.stack([np.ones(n, np.bool_) if mask is None else mask for mask in kept])
    value = np.empty((count, len(group), CANDIDATES), np.float32)
    index = np.empty((count, len(group), CANDIDATES), np.int32)
    inside = place[partner[group]]
    scan_permuted(minus, space.first, space.second, partner, inside, keep, value, index)
    for p in range(count):
        mask = kept[p]
        chosen = np.arange(len(group)) if mask is None else np.flatnonzero(mask[group])
        rows = group[chosen]
        two, one = np.empty((len(rows), 2)), np.empty(len(rows), np.int32)
        a, b = int(space.first[p]), int(space.second[p])
        x, y = space.side(a), space.side(b)
        norm = space.norm(p, partner)
        sure = settle(*x, *y, rows, partner, norm, value[p, chosen], index[p, chosen], two, one)
        for r in np.flatnonzero(~sure):
            near = -(minus[a, chosen[r]] + minus[b, inside[chosen[r]]][partner])
            if mask is not None:
                near[~mask] = np.inf
            resolve(*x, *y, int(rows[r]), partner, norm, near, two[r])
        nearest[p, rows] = two
