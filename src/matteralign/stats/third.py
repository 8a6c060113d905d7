"""The third moment of a sum over two matrices under random pairing of their rows.

For T = sum_{i != j} A_ij B_{pi(i) pi(j)} with A centred, E T^3 is a sum over triples of elements,
grouped by the indices they share: by directed graphs of three edges. Each adds the product of
two sums, one of A and one of B, over distinct vertices of that graph (Siemiatycki 1978,
J. Math. Biol. 6, 181, has the symmetric case). The sums follow from those over any vertices,
which for graphs of three edges take row and column sums, products of elements and triangles.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Edge = tuple[int, int]
Graph = tuple[Edge, ...]
Sums = tuple[float, ...]
Vector = npt.NDArray[np.float64]

LEAST_ROWS_OF_THIRD = 6
"""Fewer rows leave no six distinct ones."""

_HELD_PRODUCTS, _MOST_PRODUCTS = 2**22, 10**8
"""Products of elements held at once, and in all: seconds."""

_LEAST_SAMPLE = 256


def thirds_of_edges(
    n: int,
    rows: npt.NDArray[np.integer],
    cols: npt.NDArray[np.integer],
    values: npt.NDArray[np.float64],
) -> Sums:
    """Return what `third_moment` takes of a sparse matrix less its mean; as `moments_of_edges`.

    Notes
    -----
    O(n k^2) for k elements per row.
    """
    s = sparse.csr_array((values, (rows, cols)), shape=(n, n))
    found = _sums(s)
    mean = found[_canonical(((0, 1),))] / (n * (n - 1.0))
    distinct = _over_distinct(found)

    def centred(graph: Graph) -> float:
        total = 0.0
        for kept in range(8):
            left = tuple(edge for e, edge in enumerate(graph) if kept >> e & 1)
            # The mean stands for the other edges; vertices without an edge go anywhere.
            part = distinct(_canonical(left)) if left else 1.0
            total += (-mean) ** (3 - len(left)) * part * _ways(n, _size(left), _size(graph))
        return total

    return tuple(centred(graph) for graph in _patterns())


def third_moment(a: Sums, b: Sums, n: int) -> float:
    """Return E (T - E T)^3 over all permutations of `n` rows, n at least 6."""
    return math.fsum(
        count * (x * y) / _ways(n, 0, _size(graph))
        for (graph, count), x, y in zip(_patterns().items(), a, b, strict=True)
    )


def _ways(n: int, placed: int, size: int) -> float:
    """Return the ways to give distinct rows to vertices when some have theirs."""
    return math.prod(float(n - v) for v in range(placed, size))


def thirds_of_sample(a: npt.NDArray[np.float64], n: int) -> Sums:
    """Return what `third_moment` takes of a dense matrix of `n` rows from those of a sample.

    Parameters
    ----------
    a : ndarray of float64, shape (m, m)
        The matrix at the sampled rows, of mean zero; its diagonal is zero.
    n : int

    Notes
    -----
    Sums over distinct rows are means times how many there are: exact when m is n. O(m^3).
    """
    m = len(a)
    t, squares, both, paths = a.T, a * a, a * a.T, a @ a
    found = _named(
        a,
        (a.sum(axis=1), a.sum(axis=0)),
        (squares.sum(axis=1), squares.sum(axis=0)),
        both.sum(axis=1),
        (float(np.vdot(squares, a)), float(np.vdot(squares, t))),
        (float(np.vdot(paths, t)), float(np.vdot(paths, a))),
    )
    distinct = _over_distinct(found)
    return tuple(
        distinct(graph) * _ways(n, 0, _size(graph)) / _ways(m, 0, _size(graph))
        for graph in _patterns()
    )


def _over_distinct(found: Mapping[Graph, float]) -> Callable[[Graph], float]:
    """Return the function that gives a sum over distinct vertices from those over any."""
    known: dict[Graph, float] = {}

    def distinct(graph: Graph) -> float:
        if graph not in known:
            value = math.prod(found[part] for part in _components(graph))
            for merged, count in _merged(graph):
                value -= count * distinct(merged)
            known[graph] = value
        return known[graph]

    return distinct


def _sums(s: Any) -> dict[Graph, float]:
    """Return `_named` of a sparse matrix."""
    t = s.T.tocsr()
    square, both = s.multiply(s).tocsr(), s.multiply(t).tocsr()
    return _named(
        s,
        (_of_rows(s), _of_columns(s)),
        (_of_rows(square), _of_columns(square)),
        _of_rows(both),
        (square.multiply(s).sum(), square.multiply(t).sum()),
        _triangles(s, t),
    )


def _named(
    s: Any,
    sums: tuple[Vector, Vector],
    squares: tuple[Vector, Vector],
    m: Vector,
    cubes: tuple[float, float],
    triangles: tuple[float, float],
) -> dict[Graph, float]:
    """Return sums over any vertices for every connected graph of up to three edges.

    Parameters
    ----------
    s : matrix
    sums, squares : (ndarray, ndarray), shapes (n,)
        Of the elements and of their squares, by rows and by columns.
    m : ndarray, shape (n,)
        Row sums of elements times mirrored ones.
    cubes, triangles : (float, float)
        Of squares times elements and mirrored ones; cyclic and transitive.
    """
    (r, c), (dr, dc) = sums, squares
    named: dict[Graph, Any] = {
        ((0, 1),): r.sum(),
        ((0, 1), (0, 1)): dr.sum(),
        ((0, 1), (1, 0)): m.sum(),
        ((0, 1), (0, 2)): r @ r,
        ((1, 0), (2, 0)): c @ c,
        ((1, 0), (0, 2)): c @ r,
        ((0, 1), (0, 1), (0, 1)): cubes[0],
        ((0, 1), (0, 1), (1, 0)): cubes[1],
        ((0, 1), (0, 1), (0, 2)): dr @ r,
        ((0, 1), (0, 1), (2, 0)): dr @ c,
        ((0, 1), (0, 1), (1, 2)): dc @ r,
        ((0, 1), (0, 1), (2, 1)): dc @ c,
        ((0, 1), (1, 0), (0, 2)): m @ r,
        ((0, 1), (1, 0), (2, 0)): m @ c,
        ((0, 1), (1, 2), (2, 0)): triangles[0],
        ((0, 1), (1, 2), (0, 2)): triangles[1],
        ((0, 1), (0, 2), (0, 3)): (r * r) @ r,
        ((0, 1), (0, 2), (3, 0)): (r * r) @ c,
        ((0, 1), (2, 0), (3, 0)): (c * c) @ r,
        ((1, 0), (2, 0), (3, 0)): (c * c) @ c,
        ((0, 1), (0, 2), (1, 3)): r @ (s @ r),
        ((0, 1), (0, 2), (3, 1)): r @ (s @ c),
        ((0, 1), (2, 0), (1, 3)): c @ (s @ r),
        ((0, 1), (2, 0), (3, 1)): c @ (s @ c),
    }
    return {_canonical(graph): float(value) for graph, value in named.items()}


def _triangles(s: Any, t: Any) -> tuple[float, float]:
    """Return ``sum_ijk s_ij s_jk s_ki`` and ``sum_ijk s_ij s_jk s_ik`` of s and its transpose.

    From rows drawn with a fixed seed where all of them would take too many products.
    """
    n = s.shape[0]
    cyclic = transitive = 0.0
    per_row = max(1.0, (s.nnz / n) ** 2)
    step = max(1, int(_HELD_PRODUCTS / per_row))
    count = max(_LEAST_SAMPLE, int(_MOST_PRODUCTS / per_row))
    chosen = np.arange(n)
    if count < n:
        chosen = np.sort(np.random.default_rng(0).choice(n, count, replace=False))
    for start in range(0, len(chosen), step):
        rows = chosen[start : start + step]
        own = s[rows]
        paths = own @ s
        cyclic += float(paths.multiply(t[rows]).sum())
        transitive += float(paths.multiply(own).sum())
    return cyclic * n / len(chosen), transitive * n / len(chosen)


def _of_rows(s: Any) -> Vector:
    return np.asarray(s.sum(axis=1), np.float64).reshape(-1)


def _of_columns(s: Any) -> Vector:
    return np.asarray(s.sum(axis=0), np.float64).reshape(-1)


def _size(graph: Graph) -> int:
    return len({v for edge in graph for v in edge})


@cache
def _canonical(graph: Graph) -> Graph:
    """Return the same graph for every numbering of its vertices."""
    vertices = sorted({v for edge in graph for v in edge})
    named = []
    for order in permutations(range(len(vertices))):
        name = dict(zip(vertices, order, strict=True))
        named.append(tuple(sorted((name[a], name[b]) for a, b in graph)))
    return min(named)


@cache
def _components(graph: Graph) -> tuple[Graph, ...]:
    left, parts = list(graph), []
    while left:
        part = [left.pop()]
        seen = set(part[0])
        while touching := [edge for edge in left if seen & set(edge)]:
            part += touching
            seen |= {v for edge in touching for v in edge}
            left = [edge for edge in left if edge not in touching]
        parts.append(_canonical(tuple(part)))
    return tuple(parts)


def _partitions(size: int) -> Iterator[list[int]]:
    """Yield every way to number `size` things by the group they are in."""

    def grow(groups: list[int]) -> Iterator[list[int]]:
        if len(groups) == size:
            yield groups
            return
        for group in range(max(groups, default=-1) + 2):
            yield from grow([*groups, group])

    return grow([])


@cache
def _merged(graph: Graph) -> tuple[tuple[Graph, int], ...]:
    """Return what becomes of a graph when vertices fall together, no edge to a loop."""
    size = _size(graph)
    out: Counter[Graph] = Counter()
    for group in _partitions(size):
        edges = tuple((group[a], group[b]) for a, b in graph)
        if max(group) + 1 < size and all(a != b for a, b in edges):
            out[_canonical(edges)] += 1
    return tuple(out.items())


@cache
def _patterns() -> Mapping[Graph, int]:
    """Return how many triples of elements share indices like each graph of three edges."""
    triples = (tuple(zip(group[::2], group[1::2], strict=True)) for group in _partitions(6))
    return Counter(_canonical(edges) for edges in triples if all(a != b for a, b in edges))
