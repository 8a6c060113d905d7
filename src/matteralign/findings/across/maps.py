"""Maps of latents in two dimensions, and how far they can be trusted.

UMAP (McInnes, Healy & Melville 2018, arXiv 1802.03426) by umap-learn. Its neighbours are given:
the exact ones of this package's own search, not those of an approximate one. It starts from the
two first principal components, so that what lies where does not depend on chance (Kobak &
Linderman 2021, Nat. Biotechnol. 39, 156).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.spatial import cKDTree

from matteralign.metrics.base.inputs import FloatArray, IndexArray
from matteralign.metrics.summary import summarize
from matteralign.stats.jackknife import LEVEL

LEAST_ROWS = 8
"""Fewer rows have no map."""
TRUST_ROWS = 1000
"""Rows on which trustworthiness is measured, where there are more."""

_QUERIES, _BLOCK = 64, 8192


@dataclass(frozen=True)
class Estimate:
    """A mean over rows with its 95 % interval; the ends are NaN where there is none."""

    value: float
    low: float
    high: float
    rows: int


def exact_neighbors(
    x: npt.NDArray[np.float32], k: int, *, threads: int = 1, memory_bytes: int = 4 << 30
) -> tuple[IndexArray, FloatArray]:
    """Return the k nearest other rows of each row and their distances, each shape (n, k).

    Parameters
    ----------
    x : ndarray of float32, shape (n, d)
        At least k + 1 rows.
    """
    found = summarize(
        x,
        k_neighbors=k,
        id_specs=(),
        normalize="none",
        threads=threads,
        memory_bytes=memory_bytes,
        statistics=False,
    ).neighbors
    return found.euclid_index[:, :k], found.euclid_distance[:, :k]


def umap_map(
    x: npt.NDArray[np.float32],
    index: IndexArray,
    distance: FloatArray,
    *,
    min_dist: float = 0.1,
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """Return a map of the rows, shape (n, 2).

    The same arguments give the same map with the same versions on the same kind of machine: the
    seed is fixed and one thread is used. Other versions give another map, so coordinates are
    to be kept.

    Parameters
    ----------
    x : ndarray of float32, shape (n, d)
        For the start only.
    index, distance : ndarray, shape (n, k)
        The k nearest other rows of each row, nearest first; k decides what a neighbourhood is.
    """
    from umap import UMAP

    n, k = index.shape
    own = np.arange(n, dtype=index.dtype)[:, None]
    # The package counts a row as the first of its own neighbours.
    given = np.hstack([own, index]), np.hstack([np.zeros((n, 1)), distance]).astype(np.float32)
    with warnings.catch_warnings():
        # That rows cannot be added later, that one thread is used.
        warnings.simplefilter("ignore", UserWarning)
        reducer = UMAP(
            n_neighbors=k + 1,
            min_dist=min_dist,
            init="pca" if x.shape[1] > 1 else "random",
            random_state=seed,
            n_jobs=1,
            precomputed_knn=given,
        )
        placed: npt.NDArray[np.float32] = reducer.fit_transform(x)
    return placed


def map_neighbors(placed: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """Return the k nearest other points of each point of a map, shape (n, k)."""
    n = len(placed)
    found = np.asarray(cKDTree(placed).query(placed, k + 1)[1], np.int64)
    own = found == np.arange(n)[:, None]
    # Where k + 1 points coincide, a point may not be among its own nearest.
    own[~own.any(axis=1), -1] = True
    near: npt.NDArray[np.int64] = found[~own].reshape(n, k)
    return near


def trustworthiness(
    x: npt.NDArray[np.float32],
    placed: npt.NDArray[np.float32],
    k: int,
    *,
    rows: int = TRUST_ROWS,
    seed: int = 0,
) -> Estimate:
    """Return how far the neighbours of a map are neighbours in the latents.

    ``T = 1 - 2/(n k (2n - 3k - 1)) * sum_i sum_j (r(i, j) - k)`` over the points j that are
    among the k nearest of i in the map and not in the latents, with their rank r in the latents
    (Venna & Kaski 2001, eq. 2). 1: all are; about 0.5: the map is unrelated.

    Parameters
    ----------
    x : ndarray, shape (n, d)
    placed : ndarray, shape (n, 2)
    rows
        With more rows the sum is over a random sample of this many i; every j still counts.

    Returns
    -------
    Estimate
        NaN where k is not below n/2. The interval is that of a mean over a sample of rows
        without replacement; it has no width where all rows count.
    """
    n = len(x)
    if not 0 < k < n / 2:
        return Estimate(math.nan, math.nan, math.nan, 0)
    chosen = np.arange(n)
    if n > rows:
        chosen = np.sort(np.random.default_rng(seed).choice(n, rows, replace=False))
    near = map_neighbors(placed, k)[chosen]
    lost = np.empty(len(chosen))
    centred = x - x.mean(axis=0, dtype=np.float64).astype(x.dtype)
    for start in range(0, len(chosen), _QUERIES):
        here = chosen[start : start + _QUERIES]
        for place, (row, squared) in enumerate(zip(here, _squared(centred, here), strict=True)):
            squared[row] = -np.inf
            # The row itself stands at place 0, so the place is the rank among the others.
            rank = np.searchsorted(np.sort(squared), squared[near[start + place]], side="left")
            lost[start + place] = np.maximum(rank - k, 0).sum()
    each = 1.0 - lost * 2.0 / (k * (2.0 * n - 3.0 * k - 1.0))
    return _mean_of(each, n)


def _squared(x: npt.NDArray[np.float32], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return squared distances of some rows to all, shape (r, n), in double precision."""
    own = x[rows].astype(np.float64)
    out = np.empty((len(rows), len(x)))
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK].astype(np.float64)
        norms = np.einsum("ij,ij->i", block, block)
        out[:, start : start + _BLOCK] = norms - 2.0 * (own @ block.T)
    out += np.einsum("ij,ij->i", own, own)[:, None]
    return out


@dataclass(frozen=True)
class Separation:
    """Share of the k nearest rows that are of a row's own group: in latents, map, by chance."""

    latents: float
    map: float
    chance: float
    rows: int


def separation(
    group: npt.NDArray[np.int64], index: IndexArray, placed: npt.NDArray[np.float32]
) -> list[Separation]:
    """Return for each group how much it keeps to itself.

    Parameters
    ----------
    group : ndarray of int, shape (n,)
        Group of every row, 0 to g - 1.
    index : ndarray, shape (n, k)
        The k nearest other rows in the latents.
    placed : ndarray, shape (n, 2)
        The map.
    """
    near = map_neighbors(placed, index.shape[1])
    alike = [(group[lists] == group[:, None]).mean(axis=1) for lists in (index, near)]
    found = []
    for name in range(int(group.max()) + 1):
        own = group == name
        rows = int(own.sum())
        latents, on_map = (float(s[own].mean()) if rows else math.nan for s in alike)
        found.append(Separation(latents, on_map, (rows - 1) / (len(group) - 1), rows))
    return found


def _mean_of(each: npt.NDArray[np.float64], n: int) -> Estimate:
    m, value = len(each), float(each.mean())
    error = float(each.std(ddof=1)) * math.sqrt((1.0 - m / n) / m) if m > 1 else math.nan
    half = float(stats.t.ppf(0.5 + LEVEL / 2.0, m - 1)) * error if m > 1 else math.nan
    return Estimate(value, value - half, min(value + half, 1.0), m)
