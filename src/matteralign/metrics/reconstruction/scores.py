"""Global and local feature reconstruction error: how well one embedding gives another.

Goscinski, Fraux, Imbalzano & Ceriotti 2021, Mach. Learn.: Sci. Technol. 2, 025028. Both
embeddings are centred and scaled to total variance 1 with the training rows; the error is
the root mean square distance of the test rows to their reconstruction, so 0 is perfect and
about 1 is no better than the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import numpy as np
from threadpoolctl import threadpool_limits

from matteralign.metrics.arrays.rows import SharedRows
from matteralign.metrics.base.inputs import ArrayLike, FloatArray, as_matrix, require_same_rows
from matteralign.metrics.base.resources import DEFAULTS, Resources
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.embedding.near_rows import Precision, merge_near
from matteralign.metrics.embedding.standard import first_of_both, row_codes
from matteralign.metrics.embedding.ties import tie_labels
from matteralign.metrics.reconstruction.cutoff_ridge import Source, factorise, predict
from matteralign.metrics.reconstruction.local_fits import local_squares, nearest
from matteralign.metrics.reconstruction.run import Blocks, Parts, Run, Spread
from matteralign.metrics.reconstruction.splits import Split
from matteralign.stats.permutation import row_order


def global_reconstruction_error(
    x: Annotated[ArrayLike, "n d_x"], y: Annotated[ArrayLike, "n d_y"], *, seed: int = 0
) -> float:
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
    training rows and folds. Rows that repeat an earlier one in both embeddings, to rounding,
    are left out. Cost O(n d_x^2) per source, O(n d_x d_y) per pair.
    """
    arrays = _checked(x, y)
    return gfre_all(arrays, [(0, 1)], seed=seed, names=("x", "y"))[0].number()


def local_reconstruction_error(
    x: Annotated[ArrayLike, "n d_x"],
    y: Annotated[ArrayLike, "n d_y"],
    k: int = 25,
    *,
    seed: int = 0,
    threads: int = 1,
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
    found = lfre_all(
        arrays, [(0, 1)], [k], seed=seed, names=("x", "y"), resources=Resources(threads=threads)
    )
    return found[0][k].number()


def gfre_all(
    embeddings: Sequence[Annotated[FloatArray, "n d_m"]],
    pairs: Sequence[tuple[int, int]],
    *,
    permutations: int = 0,
    intervals: bool = False,
    seed: int = 0,
    split: Split | None = None,
    names: Sequence[str] = (),
    block: Annotated[Blocks, "n"] | None = None,
    resources: Resources = DEFAULTS,
) -> list[Scored]:
    """Return the global error of directed pairs (source, target) of the same rows.

    Parameters
    ----------
    embeddings : sequence of ndarray of float64, shapes (n, d_m)
    pairs : sequence of (int, int)
    permutations : int
        Random orders of the target's rows behind the null. The fit of a source serves all,
        so each costs what a further target costs.
    intervals : bool
        Add the interval.
    seed : int
        Of the split and of the permutations, which are the same for all pairs.
    split : Split, optional
        Instead of `default_split` with `seed`.
    names : sequence of str, optional
        What to call the embeddings in reasons.
    block : ndarray of int16, shape (n,), optional
        Of each row, for the interval; by default drawn for n rows.
    resources : Resources
    """
    MetricSpec("gfre", "", {"seed": seed, "permutations": permutations})
    run = Run(embeddings, pairs, split, seed, names, block)

    def fit(a: int) -> Source:
        train, test = run.sound_parts(a)
        return factorise(train, test, run.split.halves(len(train)))

    def errors(source: Source, target: Parts) -> FloatArray:
        train, test = target
        residual = test - predict(source, train)
        squares: FloatArray = np.einsum("ij,ij->i", residual, residual)
        return squares

    def permuted(source: Source, a: int, number: int) -> list[float]:
        order = row_order(run.n, seed, number)
        targets = (run.parts(b, order) for b in run.targets(a))
        return [float(errors(source, t).mean()) if t else math.nan for t in targets]

    def score(source: Source, b: int, null: Sequence[float]) -> Scored:
        target = run.sound_parts(b)
        squares = errors(source, target)
        return run.outcome(squares, null, target[0] if intervals else None)

    found: dict[int, list[Scored]] = {}
    sources = run.sources()
    with threadpool_limits(1), Workers(resources.threads) as pool:
        for first in range(0, len(sources), pool.threads):
            some = sources[first : first + pool.threads]
            for a, source in zip(some, pool.map(fit, some), strict=True):
                null = pool.map(partial(permuted, source, a), range(permutations))
                each = [[q[at] for q in null] for at in range(len(run.targets(a)))]
                found[a] = pool.map(partial(score, source), run.targets(a), each)
    return run.collect(found)


def lfre_all(
    embeddings: Sequence[Annotated[FloatArray, "n d_m"]],
    pairs: Sequence[tuple[int, int]],
    ks: Sequence[int],
    *,
    permutations: int = 0,
    intervals: bool = False,
    seed: int = 0,
    split: Split | None = None,
    names: Sequence[str] = (),
    block: Annotated[Blocks, "n"] | None = None,
    resources: Resources = DEFAULTS,
) -> list[dict[int, Scored]]:
    """Return the local error of directed pairs for every k of `ks`; others as `gfre_all`.

    Neighbours are found once per source, at the largest k, and the factorisations of a
    source serve all its targets and permutations.
    """
    specs = {
        k: MetricSpec("lfre", "", {"k": k, "seed": seed, "permutations": permutations}) for k in ks
    }
    run = Run(embeddings, pairs, split, seed, names, block)
    rows = len(run.split.train)
    usable = [k for k in specs if k <= rows]
    found: dict[int, dict[int, list[Scored]]] = {
        k: {
            a: [
                run.nothing(f"lfre: k = {k} needs as many training rows, got {rows}")
                for _ in run.targets(a)
            ]
            for a in run.sources()
        }
        for k in specs
    }
    orders = [row_order(run.n, seed, number) for number in range(permutations)]
    with threadpool_limits(1), Workers(resources.threads) as pool:
        for a in run.sources() if usable else ():
            source, *targets = (run.whole(m) for m in (a, *run.targets(a)))
            train, test = run.split.train, run.split.test
            labels = tie_labels(open_embedding(embeddings[a], "x"))
            near = nearest(
                run.compared(a), train, test, labels, max(usable), resources.memory_bytes
            )
            totals = np.array([[_total(y[order[train]]) for order in orders] for y in targets])
            for k in usable:
                squares, sums = local_squares(
                    source, targets, near[:, :k], test, run.split.halves(k), orders,
                    pool, resources.memory_bytes,
                )  # fmt: skip
                # A local error does not depend on where a target lies, and scales with it.
                with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                    null = sums / len(test) / totals
                found[k][a] = [
                    run.outcome(squares[m], null[m].tolist(), y[train] if intervals else None)
                    for m, y in enumerate(targets)
                ]
    each = {k: run.collect(found[k]) for k in specs}
    return [{k: each[k][at] for k in specs} for at in range(len(pairs))]


def gfre_of_rows(spec: MetricSpec, rows: SharedRows) -> list[Scored]:
    """Return the global errors of the pairs of some rows."""
    return gfre_all(
        rows.double(),
        rows.pairs,
        permutations=spec.integer("permutations") if rows.statistics else 0,
        intervals=rows.statistics,
        seed=spec.integer("seed"),
        resources=rows.resources,
        names=rows.names,
        block=rows.block,
    )


def lfre_of_rows(spec: MetricSpec, rows: SharedRows) -> list[Scored]:
    """Return the local errors of the pairs of some rows."""
    k = spec.integer("k")
    found = lfre_all(
        rows.double(),
        rows.pairs,
        [k],
        permutations=spec.integer("permutations") if rows.statistics else 0,
        intervals=rows.statistics,
        seed=spec.integer("seed"),
        resources=rows.resources,
        names=rows.names,
        block=rows.block,
    )
    return [each[k] for each in found]


def _total(rows: FloatArray) -> float:
    """Return the total variance of rows, which may be infinite where a test row is among them."""
    with np.errstate(over="ignore", invalid="ignore"):
        root = Spread.of(rows).root
        return root * root


def _checked(x: ArrayLike, y: ArrayLike) -> list[FloatArray]:
    arrays = [as_matrix(x, "x"), as_matrix(y, "y")]
    require_same_rows(len(arrays[0]), len(arrays[1]), "x", "y")
    # A row that repeats an earlier one in both would be both fitted and predicted.
    one, two = (merge_near(z, row_codes(z), Precision.of(z)) for z in arrays)
    first = first_of_both(one, two)
    return arrays if first.all() else [z[first] for z in arrays]
