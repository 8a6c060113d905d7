"""Global and local feature reconstruction error: how well one embedding gives another.

Goscinski, Fraux, Imbalzano & Ceriotti 2021, Mach. Learn.: Sci. Technol. 2, 025028. Both
embeddings are centred and scaled to total variance 1 with the training rows; the error is
the root mean square distance of the test rows to their reconstruction, so 0 is perfect and
about 1 is no better than the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from matteralign.metrics.cutoff_ridge import Rows, Source, factorise, predict
from matteralign.metrics.errors import MetricInputError, NotApplicable
from matteralign.metrics.inputs import ArrayLike, FloatArray, as_matrix, require_same_rows
from matteralign.metrics.local_fits import mean_squares, moved_up, nearest
from matteralign.metrics.neighbors import DEFAULT_MEMORY_BYTES, slack
from matteralign.metrics.reconstruction_run import Outcome, Run, Spread, outcome
from matteralign.metrics.specs import MetricSpec
from matteralign.metrics.splits import Sample, Split, row_order
from matteralign.metrics.workers import Workers


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
    permutations: int = 0,
    intervals: bool = False,
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
    permutations : int
        Random orders of the target's rows behind the null. The fit of a source serves all,
        so each costs what a further target costs.
    intervals : bool
        Add the interval, for as many further fits as there are blocks (16).
    seed : int
        Of the split and of the permutations, which are the same for all pairs.
    split : Split, optional
        Instead of `default_split` with `seed`.
    names : sequence of str, optional
        What to call the members in reasons.
    """
    MetricSpec("gfre", "", {"seed": seed, "permutations": permutations})
    run = Run(members, pairs, split, seed, threads, names)
    whole = run.split.whole()
    gone = run.gone(intervals=intervals)

    def fit(a: int, sample: Sample) -> Source | None:
        rows = run.parts(a, sample) if sample.usable else None
        return factorise(*rows, sample.halves) if rows is not None else None

    def squares(
        source: Source | None, a: int, sample: Sample, order: Rows | None = None
    ) -> list[float]:
        return [_global_square(source, run.parts(b, sample, order)) for b in run.targets(a)]

    def without(a: int, block: int) -> list[float]:
        left = whole.without(gone[block])
        return squares(fit(a, left), a, left)

    def permuted(source: Source | None, a: int, number: int) -> list[float]:
        return squares(source, a, whole, row_order(run.n, seed, number))

    found: dict[int, list[Outcome]] = {}
    sources = run.sources()
    with threadpool_limits(1), Workers(threads) as pool:
        for first in range(0, len(sources), threads):
            some = sources[first : first + threads]
            fits = pool.map(lambda a: fit(a, whole), some)
            values = pool.map(lambda source, a: squares(source, a, whole), fits, some)
            for a, source, value in zip(some, fits, values, strict=True):
                null = pool.map(lambda q, a=a, s=source: permuted(s, a, q), range(permutations))
                left = pool.map(lambda b, a=a: without(a, b), range(len(gone)))
                found[a] = [
                    outcome(v, len(whole.test), [q[at] for q in null], [b[at] for b in left])
                    for at, v in enumerate(value)
                ]
    return run.collect(found)


def _global_square(source: Source | None, target: tuple[FloatArray, FloatArray] | None) -> float:
    """Return the mean squared error of the test rows, NaN where there is no fit."""
    if source is None or target is None:
        return math.nan
    train, test = target
    residual = test - predict(source, train)
    return float(np.einsum("ij,ij->i", residual, residual).mean())


def lfre_all(
    members: Sequence[FloatArray],
    pairs: Sequence[tuple[int, int]],
    ks: Sequence[int],
    *,
    permutations: int = 0,
    intervals: bool = False,
    seed: int = 0,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    split: Split | None = None,
    names: Sequence[str] = (),
) -> list[dict[int, Outcome]]:
    """Return the local error of directed pairs for every k of `ks`; others as `gfre_all`.

    Neighbours are found once per source, at the largest k, and the factorisations of a
    source serve all its targets and permutations.
    """
    specs = {
        k: MetricSpec("lfre", "", {"k": k, "seed": seed, "permutations": permutations})
        for k in ks
    }
    if memory_bytes <= 0:
        raise MetricInputError(f"memory_bytes must be positive, got {memory_bytes}")
    run = Run(members, pairs, split, seed, threads, names)
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
    orders = [row_order(run.n, seed, number) for number in range(permutations)]
    with threadpool_limits(1), Workers(threads) as pool:
        for a in run.sources() if usable else ():
            local = _Local(run, a, max(usable), orders, pool, threads, memory_bytes, intervals)
            for k in usable:
                found[k][a] = local.outcomes(k)
    each = {k: run.collect(found[k]) for k in specs}
    return [{k: each[k][at] for k in specs} for at in range(len(pairs))]


class _Local:
    """The local errors of all targets of one source."""

    def __init__(
        self,
        run: Run,
        a: int,
        most: int,
        orders: Sequence[Rows],
        pool: Workers,
        threads: int,
        memory_bytes: int,
        intervals: bool,
    ) -> None:
        self._split, self._pool = run.split, pool
        self._threads, self._memory = threads, memory_bytes
        train, test = self._split.train, self._split.test
        self._source, *self._targets = (self._scaled(run, m) for m in (a, *run.targets(a)))
        self._orders = [np.arange(run.n), *orders]
        self._gone = run.gone(intervals=intervals)
        longest = min(len(train), most + slack(most)) if self._gone else most
        self._near = nearest(self._source[train], self._source[test], longest, memory_bytes)

    def outcomes(self, k: int) -> list[Outcome]:
        """Return the outcome of every target."""
        train, test = self._split.train, self._split.test
        squares = self._squares(train[self._near[:, :k]], test, self._orders)
        squares /= self._totals(train, self._orders)
        left = [self._without(k, gone) for gone in self._gone]
        return [
            outcome(float(row[0]), len(test), row[1:].tolist(), [b[at] for b in left])
            for at, row in enumerate(squares)
        ]

    def _without(self, k: int, gone: np.ndarray) -> list[float]:
        """Return the mean squared error per target without some rows, NaN where there is none."""
        train, test = self._split.train, self._split.test
        left, kept = np.flatnonzero(~gone[train]), ~gone[test]
        if len(left) < k or not kept.any():
            return [math.nan for _ in self._targets]
        index, whole = moved_up(self._near[kept], k, gone[train])
        points = test[kept]
        if not whole.all():
            rows = self._source[train[left]], self._source[points[~whole]]
            index[~whole] = left[nearest(*rows, k, self._memory)]
        squares = self._squares(train[index], points, self._orders[:1])
        total = self._totals(train[left], self._orders[:1])
        with np.errstate(divide="ignore", invalid="ignore"):
            return (squares / total)[:, 0].tolist()

    def _squares(self, near: Rows, test: Rows, orders: Sequence[Rows]) -> FloatArray:
        halves = self._split.halves(near.shape[1])
        return mean_squares(
            self._source,
            self._targets,
            near,
            test,
            halves,
            orders,
            self._pool,
            self._threads,
            self._memory,
        )

    def _totals(self, train: Rows, orders: Sequence[Rows]) -> FloatArray:
        """Return total variances of training rows, shape (targets, orders).

        A local error does not depend on where a target lies, and scales with it.
        """
        return np.array(
            [[Spread.of(y[order[train]]).root ** 2 for order in orders] for y in self._targets]
        )

    def _scaled(self, run: Run, m: int) -> FloatArray:
        x = run.working(m)
        return np.ascontiguousarray(Spread.of(x[self._split.train]).applied(x))


def _checked(x: ArrayLike, y: ArrayLike) -> list[FloatArray]:
    arrays = [as_matrix(x, "x"), as_matrix(y, "y")]
    require_same_rows(len(arrays[0]), len(arrays[1]), "x", "y")
    return arrays


def _value(outcome: Outcome) -> float:
    if isinstance(outcome, NotApplicable):
        raise outcome
    return outcome.value
