"""Global and local feature reconstruction error: how well one embedding gives another.

Goscinski, Fraux, Imbalzano & Ceriotti 2021, Mach. Learn.: Sci. Technol. 2, 025028. Both
embeddings are centred and scaled to total variance 1 with the training rows; the error is
the root mean square distance of the test rows to their reconstruction, so 0 is perfect and
about 1 is no better than the mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from matteralign.metrics.cutoff_ridge import Halves, Rows, factorise, predict
from matteralign.metrics.errors import MetricInputError, NotApplicable
from matteralign.metrics.inputs import (
    ArrayLike,
    FloatArray,
    as_matrix,
    constant_reason,
    is_constant,
    pow2_scaled,
    require_same_rows,
)
from matteralign.metrics.local_fits import local_squares, nearest
from matteralign.metrics.neighbors import DEFAULT_MEMORY_BYTES
from matteralign.metrics.specs import MetricSpec
from matteralign.metrics.workers import Workers
from matteralign.stats.blocks import block_of
from matteralign.stats.jackknife import interval

LEAST_ROWS = 4


@dataclass(frozen=True)
class Split:
    """Which rows fit and which are predicted.

    Attributes
    ----------
    train, test : ndarray of int64
        Rows, without repetition.
    halves : callable
        Gives the two halves that choose the cutoff of a fit to a number of rows; places in
        the order of `train` (global), or of the neighbours from near to far (local).
    """

    train: Rows
    test: Rows
    halves: Callable[[int], Halves]


def default_split(n: int, seed: int) -> Split:
    """Return a random split of `n` rows: n // 2 train, the others test, halves at random."""
    order = np.random.default_rng(seed).permutation(n)

    def halves(count: int) -> Halves:
        places = np.random.default_rng([seed, count]).permutation(count)
        return Halves(np.sort(places[: count // 2]), np.sort(places[count // 2 :]))

    return Split(np.sort(order[: n // 2]), np.sort(order[n // 2 :]), halves)


@dataclass(frozen=True)
class Reconstruction:
    """A reconstruction error.

    Attributes
    ----------
    value : float
    n : int
        Test rows behind it.
    ci_low, ci_high : float or None
        95 % jackknife interval over blocks of test rows, given the fit: the scatter of the
        training rows and of the split is not in it. None below 32 test rows.
    """

    value: float
    n: int
    ci_low: float | None
    ci_high: float | None


Outcome = Reconstruction | NotApplicable


def global_reconstruction_error(x: ArrayLike, y: ArrayLike, *, seed: int = 0) -> float:
    """Global feature reconstruction error of `y` from `x` (Goscinski et al. 2021, eq. 5).

    One linear map for all rows: singular values of the source above a cutoff, which
    two-fold cross-validation on the training rows picks among 20 between 1e-9 and 0.9 of
    the largest. Not symmetric.

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)
        Source and target embedding of the same rows.
    seed : int
        Of the split into n // 2 training and the other test rows, and of the two folds.

    Returns
    -------
    float
        0 for perfect reconstruction, about 1 for unrelated embeddings, more for a fit
        that does not carry over.

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        Fewer than 4 rows, or an embedding constant in the training rows.
    MetricSpecError
        seed below 0.

    Notes
    -----
    Equals scikit-matter's ``global_reconstruction_error`` with its defaults for the same
    training rows and folds. Cost O(n d_x^2) per source, O(n d_x d_y) per pair.
    """
    arrays = _checked(x, y)
    return _value(gfre_all(arrays, [(0, 1)], seed=seed, names=("x", "y"))[0])


def local_reconstruction_error(
    x: ArrayLike, y: ArrayLike, k: int = 25, *, seed: int = 0, threads: int = 1
) -> float:
    """Local feature reconstruction error of `y` from `x` (Goscinski et al. 2021, eq. 11).

    As `global_reconstruction_error`, with one linear map per test row, fitted to its `k`
    nearest training rows in x and relative to their mean: 0 also for smooth nonlinear maps.

    Parameters
    ----------
    x, y, seed
        As `global_reconstruction_error`.
    k : int
        Neighbours of a fit, at least 2.
    threads : int
        Threads to use.

    Returns
    -------
    float

    Raises
    ------
    MetricInputError, MetricSpecError
        As `global_reconstruction_error`; k below 2.
    NotApplicable
        As there, or k above the number of training rows.

    Notes
    -----
    Equals scikit-matter's ``local_reconstruction_error``. Cost O(n k d_x min(k, d_x)) per
    source, O(n k d_y min(k, d_x)) per pair.
    """
    arrays = _checked(x, y)
    found = lfre_all(arrays, [(0, 1)], [k], seed=seed, threads=threads, names=("x", "y"))
    return _value(found[0][k])


def gfre_all(
    members: Sequence[FloatArray],
    pairs: Sequence[tuple[int, int]],
    *,
    seed: int = 0,
    threads: int = 1,
    split: Split | None = None,
    names: Sequence[str] = (),
) -> list[Outcome]:
    """Return the global error of directed pairs (source, target) of the same rows.

    Parameters
    ----------
    members : sequence of ndarray of float64, shapes (n, d_m)
    pairs : sequence of (int, int)
    split : Split, optional
        Instead of `default_split` with `seed`.
    names : sequence of str, optional
        What to call the members in reasons.
    """
    MetricSpec("gfre", "", {"seed": seed})
    run = _Run(members, pairs, split, seed, threads, names)

    def errors(a: int, targets: Sequence[int]) -> list[Outcome]:
        train, test = run.parts(a)
        fit = factorise(train, run.split.halves(len(train)))
        found: list[Outcome] = []
        for b in targets:
            target, truth = run.parts(b)
            found.append(_outcome(_squares(truth - predict(fit, target, test))))
        return found

    with threadpool_limits(1), Workers(threads) as pool:
        sources = list(run.sources())
        done = pool.map(lambda a: errors(a, run.targets(a)), sources)
        return run.collect(dict(zip(sources, done, strict=True)))


def lfre_all(
    members: Sequence[FloatArray],
    pairs: Sequence[tuple[int, int]],
    ks: Sequence[int],
    *,
    seed: int = 0,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    split: Split | None = None,
    names: Sequence[str] = (),
) -> list[dict[int, Outcome]]:
    """Return the local error of directed pairs for every k of `ks`; others as `gfre_all`.

    Neighbours are found once per source, at the largest k, and the factorisations of a
    source serve all its targets.
    """
    specs = {k: MetricSpec("lfre", "", {"k": k, "seed": seed}) for k in ks}
    if memory_bytes <= 0:
        raise MetricInputError(f"memory_bytes must be positive, got {memory_bytes}")
    run = _Run(members, pairs, split, seed, threads, names)
    rows = len(run.split.train)
    usable = [k for k in specs if k <= rows]
    found: dict[int, dict[int, list[Outcome]]] = {
        k: {
            a: [
                NotApplicable(f"lfre: k = {k} needs as many training rows, got {rows}")
                for _ in run.targets(a)
            ]
            for a in run.sources()
        }
        for k in specs
    }
    with threadpool_limits(1), Workers(threads) as pool:
        for a in run.sources() if usable else ():
            train, test = run.parts(a)
            targets = [run.parts(b) for b in run.targets(a)]
            near = nearest(train, test, max(usable), memory_bytes)
            for k in usable:
                halves = run.split.halves(k)
                squares = local_squares(
                    (train, test), targets, near[:, :k], halves, pool, threads, memory_bytes
                )
                found[k][a] = [_outcome(each) for each in squares]
    each = {k: run.collect(found[k]) for k in specs}
    return [{k: each[k][at] for k in specs} for at in range(len(pairs))]


class _Run:
    """Checks of one call, and the scaled members cut into training and test rows."""

    def __init__(
        self,
        members: Sequence[FloatArray],
        pairs: Sequence[tuple[int, int]],
        split: Split | None,
        seed: int,
        threads: int,
        names: Sequence[str],
    ) -> None:
        if threads < 1:
            raise MetricInputError(f"threads must be positive, got {threads}")
        for a, b in pairs:
            if not (0 <= a < len(members) and 0 <= b < len(members)):
                raise MetricInputError(f"pair {(a, b)} is not two of {len(members)} members")
        called = list(names) or [f"member {i}" for i in range(len(members))]
        n = len(members[0]) if members else 0
        for x, name in zip(members, called, strict=True):
            require_same_rows(n, len(x), called[0], name)
        self._members, self._pairs = members, pairs
        self.split = default_split(n, seed) if split is None else split
        self._none: dict[int, NotApplicable] = {}
        for m in {m for pair in pairs for m in pair}:
            if n < LEAST_ROWS:
                self._none[m] = NotApplicable(f"reconstruction needs {LEAST_ROWS} rows, got {n}")
            elif is_constant(members[m][self.split.train]):
                self._none[m] = NotApplicable(f"training rows: {constant_reason(called[m])}")

    def sources(self) -> list[int]:
        """Members that some pair reconstructs from."""
        return [a for a in dict.fromkeys(a for a, _ in self._pairs) if self.targets(a)]

    def targets(self, a: int) -> list[int]:
        """Members to reconstruct from `a`."""
        if a in self._none:
            return []
        return [b for c, b in dict.fromkeys(self._pairs) if c == a and b not in self._none]

    def parts(self, m: int) -> tuple[FloatArray, FloatArray]:
        """Return training and test rows of a member, centred, total variance 1 in training."""
        x = pow2_scaled(self._members[m])
        train, test = x[self.split.train], x[self.split.test]
        mean = train.mean(axis=0)
        train, test = train - mean, test - mean
        largest = float(np.abs(train).max())
        scale = largest * np.sqrt(np.square(train / largest).sum() / len(train))
        # Test rows far beyond the training rows may overflow; `_outcome` says so.
        with np.errstate(over="ignore"):
            return train / scale, test / scale

    def collect(self, found: Mapping[int, Sequence[Outcome]]) -> list[Outcome]:
        """Return outcomes in the order of the pairs from those by source and target."""
        outcomes = {}
        for a, scores in found.items():
            outcomes.update({(a, b): s for b, s in zip(self.targets(a), scores, strict=True)})
        none = self._none
        return [
            outcomes[a, b] if a not in none and b not in none else none[a if a in none else b]
            for a, b in self._pairs
        ]


def _squares(residual: FloatArray) -> FloatArray:
    squares: FloatArray = np.einsum("ij,ij->i", residual, residual)
    return squares


def _outcome(squares: FloatArray) -> Outcome:
    value = float(np.sqrt(squares.mean()))
    if not math.isfinite(value):
        return NotApplicable(
            "the reconstruction error overflows: test rows lie too far from the training rows"
        )
    block = block_of(len(squares))
    blocks = range(int(block[-1]) + 1 if block[-1] else 0)
    without = [float(np.sqrt(squares[block != b].mean())) for b in blocks]
    low, high = interval(value, without) or (None, None)
    return Reconstruction(value, len(squares), low, high)


def _checked(x: ArrayLike, y: ArrayLike) -> list[FloatArray]:
    arrays = [as_matrix(x, "x"), as_matrix(y, "y")]
    require_same_rows(len(arrays[0]), len(arrays[1]), "x", "y")
    return arrays


def _value(outcome: Outcome) -> float:
    if isinstance(outcome, NotApplicable):
        raise outcome
    return outcome.value
