"""Correlation of intrinsic dimension (IdCor) with its permutation test, for many pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from threadpoolctl import threadpool_limits

from matteralign.metrics.arrays.rows import SharedRows
from matteralign.metrics.base.errors import MetricInputError, NotApplicable
from matteralign.metrics.base.inputs import (
    ArrayLike,
    FloatArray,
    IndexArray,
    RealArray,
    as_matrix,
    constant_reason,
    require_same_rows,
)
from matteralign.metrics.base.resources import DEFAULT_MEMORY_BYTES, DEFAULTS, Resources
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.dimension.estimators import twonn_from_distances, twonn_without_each
from matteralign.metrics.dimension.joint import (
    GROUP,
    TILE,
    Space,
    nearest_two,
    nearest_two_permuted,
    permutations,
)
from matteralign.metrics.dimension.joint_loops import CANDIDATES
from matteralign.metrics.embedding.near_rows import Precision
from matteralign.metrics.embedding.standard import Standard, standardise
from matteralign.stats.neighbours import interval
from matteralign.stats.permutation import permutation_null


@dataclass(frozen=True)
class IdCor:
    """IdCor of one pair.

    Attributes
    ----------
    value : float
        (i1 + i2 - i12) / max(i1, i2).
    i1, i2, i12 : float
        TwoNN dimensions of the two embeddings and of their joint space.
    n : int
        Rows the joint dimension rests on.
    duplicates : int
        Rows left out because both embeddings repeat an earlier row, exactly or but for
        rounding.
    null_mean, null_sd : float or None
        Mean and standard deviation of the value under the permutations; None without any
        (the deviation needs two).
    null_p : float or None
        Share of joint dimensions, the observed one counted in, that are not above it.
    ci_low, ci_high : float or None
        95 % interval from the pull of each row on the value and its products with those of
        its nearest neighbours, see `stats.neighbours`. None below 32 rows.
    calibrated : float or None
        See `stats.calibrated`; None with fewer than 19 permutations.
    """

    value: float
    i1: float
    i2: float
    i12: float
    n: int
    duplicates: int
    null_mean: float | None = None
    null_sd: float | None = None
    null_p: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    calibrated: float | None = None

    def scored(self) -> Scored:
        """Return the score without its parts."""
        names = ("null_mean", "null_sd", "null_p", "ci_low", "ci_high", "calibrated")
        return Scored.ok(self.value, self.n, **{name: getattr(self, name) for name in names})


def idcor(
    x: Annotated[ArrayLike, "n d_x"],
    y: Annotated[ArrayLike, "n d_y"],
    *,
    fraction: float = 0.9,
    permutations: int = 100,
    seed: int = 0,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
) -> IdCor:
    """Correlation of intrinsic dimension (Basile et al. 2024, arXiv 2406.15812, eq. 1).

    ``(I1 + I2 - I12) / max(I1, I2)`` with TwoNN dimensions of both embeddings and of the
    rows of both side by side, every column standardised to mean 0 and standard deviation 1
    and constant columns left out. 1 where one embedding determines the other, about 0 for
    independent ones, of any nonlinear relation; noise carries it beyond both ends.

    Parameters
    ----------
    x, y : array_like or torch.Tensor, shapes (n, d_x) and (n, d_y)
        Two embeddings of the same rows.
    fraction : float
        Share of TwoNN's ratios that enter its fit, the smallest ones; between 0 and 1,
        both excluded.
    permutations : int
        Random pairings of the rows behind `null_p`; 0 for none. They exchange rows within
        random groups of up to 256, which leaves the test exact.
    seed : int
        Of the permutations, at least 0.
    memory_bytes : int
        Bound on the working blocks.
    threads : int
        Threads to use.

    Returns
    -------
    IdCor
        `null_p` is one-sided, ``(1 + #{I12 permuted <= I12}) / (1 + permutations)``.

    Raises
    ------
    MetricInputError
        As `cknna`.
    NotApplicable
        A constant embedding, fewer than 3 distinct rows, or equal distances only.
    MetricSpecError
        A parameter out of range.

    Notes
    -----
    Exact: distances equal a float64 brute force. Of rows identical in both embeddings, to
    rounding, the first is kept, and likewise within each embedding. Cost
    O(n^2 (d_x + d_y)) once, and O(n^2) per permutation.

    Examples
    --------
    >>> import numpy as np
    >>> from matteralign.metrics import idcor
    >>> t = np.random.default_rng(0).uniform(-1, 1, size=(800, 2))
    >>> found = idcor(t, np.cos(3 * t), permutations=19)
    >>> round(found.value, 1), found.null_p
    (1.0, 0.05)
    """
    arrays = [as_matrix(x, "x"), as_matrix(y, "y")]
    require_same_rows(len(arrays[0]), len(arrays[1]), "x", "y")
    outcome = idcor_all(
        arrays,
        [(0, 1)],
        fraction=fraction,
        permutations=permutations,
        seed=seed,
        names=("x", "y"),
        resources=Resources(memory_bytes, threads),
    )[0]
    if isinstance(outcome, NotApplicable):
        raise outcome
    return outcome


def idcor_all(
    embeddings: Sequence[Annotated[RealArray, "n d_m"]],
    pairs: Sequence[tuple[int, int]],
    *,
    fraction: float = 0.9,
    permutations: int = 100,
    seed: int = 0,
    intervals: bool = True,
    names: Sequence[str] = (),
    precisions: Sequence[Precision] = (),
    resources: Resources = DEFAULTS,
) -> list[IdCor | NotApplicable]:
    """Return IdCor of many pairs of the same rows; parameters as `idcor`.

    Parameters
    ----------
    embeddings : sequence of ndarray of float32 or float64, shapes (n, d_m)
        Checked embeddings; what is decided of float32 rows is decided in float64.
    pairs : sequence of (int, int)
        Places of two different embeddings each.
    intervals : bool
        Compute `ci_low` and `ci_high`, O(n log n) per pair.
    names : sequence of str, optional
        What to call the embeddings in reasons.
    precisions : sequence of Precision, optional
        Of the embeddings before they were scaled; by default as they are.
    resources : Resources
        Memory bounds the working blocks and float32 copies of the embeddings. Pairs are done in
        batches that keep it, of at least one pair.

    Returns
    -------
    list of IdCor or NotApplicable
        In the order of `pairs`; the reason where a pair has no value. All pairs see the
        same permutations, so a result does not depend on the other pairs.
    """
    spec = MetricSpec(
        "idcor", "", {"fraction": fraction, "permutations": permutations, "seed": seed}
    )
    for a, b in pairs:
        if a == b or not (0 <= a < len(embeddings) and 0 <= b < len(embeddings)):
            raise MetricInputError(f"pair {(a, b)} is not two of {len(embeddings)} embeddings")
    for x in embeddings[1:]:
        require_same_rows(len(embeddings[0]), len(x), "the first embedding", "another")
    called = list(names) or [f"embedding {i}" for i in range(len(embeddings))]
    run = _Run(embeddings, called, spec, intervals, precisions)
    with threadpool_limits(1), Workers(resources.threads) as pool:
        return run.all(pairs, resources, pool)


def idcor_of_rows(spec: MetricSpec, rows: SharedRows) -> list[Scored]:
    """Return IdCor of the pairs of some rows."""
    found = idcor_all(
        rows.arrays,
        rows.pairs,
        fraction=float(spec.params["fraction"]),
        permutations=spec.integer("permutations") if rows.statistics else 0,
        seed=spec.integer("seed"),
        resources=rows.resources,
        intervals=rows.statistics,
        names=rows.names,
        precisions=[rows.precision_of(name) for name in rows.names],
    )
    n = len(rows.arrays[0])
    return [
        Scored.not_applicable(str(each), n) if isinstance(each, NotApplicable) else each.scored()
        for each in found
    ]


class _Run:
    """Work shared by the pairs of one call."""

    def __init__(
        self,
        embeddings: Sequence[RealArray],
        names: list[str],
        spec: MetricSpec,
        intervals: bool,
        precisions: Sequence[Precision],
    ) -> None:
        self._precisions = dict(enumerate(precisions))
        self._embeddings, self._names = embeddings, names
        self._n = len(embeddings[0]) if embeddings else 0
        self._fraction = float(spec.params["fraction"])
        count = spec.integer("permutations")
        self._groups, self._partners = permutations(self._n, count, spec.integer("seed"))
        self._standard: dict[int, Standard] = {}
        self._alone: dict[int, _Dimension | NotApplicable] = {}
        self._intervals = intervals

    def all(
        self, pairs: Sequence[tuple[int, int]], resources: Resources, pool: Workers
    ) -> list[IdCor | NotApplicable]:
        used = sorted({m for pair in pairs for m in pair})
        self._standard = dict(zip(used, pool.map(self._standardised, used), strict=True))
        found: dict[int, IdCor | NotApplicable] = {}
        sound = []
        for at, pair in enumerate(pairs):
            flat = [m for m in pair if self._standard[m].constant]
            if flat:
                found[at] = NotApplicable(constant_reason(self._names[flat[0]]))
            else:
                sound.append(at)
        batches = list(self._batches(sound, pairs, resources.memory_bytes))
        steps = len(batches) * (-(-self._n // TILE) + len(self._groups) * bool(len(self._partners)))
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            resources.tell(done / steps)

        for batch in batches:
            scored = self._batch([pairs[at] for at in batch], pool, step)
            found.update(zip(batch, scored, strict=True))
        return [found[at] for at in range(len(pairs))]

    def _standardised(self, m: int) -> Standard:
        return standardise(self._embeddings[m], self._precisions.get(m))

    def _batches(
        self, sound: list[int], pairs: Sequence[tuple[int, int]], memory_bytes: int
    ) -> Iterator[list[int]]:
        """Yield places in `pairs`, those that share embeddings together."""
        n = self._n
        row_tiles = 4 * GROUP * n if len(self._partners) else 0
        own = {m: 4 * n * s.x.shape[1] + 8 * n + row_tiles for m, s in self._standard.items()}
        # Per pair: candidates, limits, norms and the distances found, per permutation too.
        each = n * (12 + 8 * CANDIDATES + 16 * (1 + len(self._partners)))
        if not own:
            return
        side = max(1, int(memory_bytes / 2 / max(own.values()) / 2))
        order = sorted(sound, key=lambda at: (pairs[at][0] // side, pairs[at][1] // side))
        batch: list[int] = []
        embeddings: set[int] = set()
        for at in order:
            wider = embeddings | set(pairs[at])
            need = sum(own[m] for m in wider) + each * (len(batch) + len(wider) + 1)
            if batch and need > memory_bytes:
                yield batch
                batch, wider = [], set(pairs[at])
            batch.append(at)
            embeddings = wider
        if batch:
            yield batch

    def _batch(
        self, pairs: list[tuple[int, int]], pool: Workers, step: Callable[[], None]
    ) -> list[IdCor | NotApplicable]:
        used = sorted({m for pair in pairs for m in pair})
        place = {m: i for i, m in enumerate(used)}
        standard = [self._standard[m] for m in used]
        made = pool.map(Standard.single, standard)
        single, half = [m[0] for m in made], [m[1] for m in made]
        new = [m for m in used if m not in self._alone]
        first = [place[a] for a, _ in pairs] + [place[m] for m in new]
        second = [place[b] for _, b in pairs] + [len(used)] * len(new)
        space = Space(
            standard, single, half, np.asarray(first, np.int32), np.asarray(second, np.int32)
        )
        near, closest = nearest_two(space, pool, step)
        dims = pool.map(self._dimension, near, closest)
        self._alone.update(zip(new, dims[len(pairs) :], strict=True))
        order = sorted(range(len(pairs)), key=lambda k: second[k])
        null: list[list[float] | NotApplicable] = [[] for _ in pairs]
        if len(self._partners):
            both = Space(standard, single, half, space.first[order], space.second[order])
            shuffled = nearest_two_permuted(both, self._groups, self._partners, pool, step)
            for k, dimensions in zip(order, pool.map(self._null, shuffled), strict=True):
                null[k] = dimensions
        counts = np.isfinite(near[:, :, 0]).sum(axis=1)
        return [self._score(pair, dims[k], int(counts[k]), null[k]) for k, pair in enumerate(pairs)]

    def _twonn(self, near: FloatArray) -> float:
        kept = near[np.isfinite(near[:, 0])]
        return twonn_from_distances(np.sqrt(kept), self._fraction)

    def _dimension(self, near: FloatArray, closest: IndexArray) -> _Dimension | NotApplicable:
        finite = np.isfinite(near[:, 0])
        distances = np.sqrt(near[finite])
        try:
            value = twonn_from_distances(distances, self._fraction)
        except NotApplicable as reason:
            return reason
        if not self._intervals:
            return _Dimension(value)
        without = twonn_without_each(distances, self._fraction)
        pull = np.zeros(self._n)
        with np.errstate(invalid="ignore"):
            pull[finite] = without.mean() - without
        return _Dimension(value, pull, closest.copy())

    def _null(self, near: FloatArray) -> list[float] | NotApplicable:
        try:
            return [self._twonn(each) for each in near]
        except NotApplicable as reason:
            return NotApplicable(f"a permutation has no joint dimension: {reason}")

    def _score(
        self,
        pair: tuple[int, int],
        joint: _Dimension | NotApplicable,
        n: int,
        null: list[float] | NotApplicable,
    ) -> IdCor | NotApplicable:
        one, two = self._alone[pair[0]], self._alone[pair[1]]
        if isinstance(one, NotApplicable):
            return NotApplicable(f"{self._names[pair[0]]}: {one}")
        if isinstance(two, NotApplicable):
            return NotApplicable(f"{self._names[pair[1]]}: {two}")
        if isinstance(joint, NotApplicable):
            return NotApplicable(f"joint space: {joint}")
        if isinstance(null, NotApplicable):
            return null
        value = _value(one.value, two.value, joint.value)
        low, high = _interval(value, one, two, joint) or (None, None)
        permuted = [_value(one.value, two.value, i12) for i12 in null]
        found = permutation_null(value, permuted, smaller_is_closer=False)
        mean, sd, p = (found.mean, found.sd, found.p) if found else (None, None, None)
        dims = one.value, two.value, joint.value
        calibrated = found.calibrated if found else None
        return IdCor(value, *dims, n, self._n - n, mean, sd, p, low, high, calibrated)


@dataclass(frozen=True)
class _Dimension:
    """A TwoNN dimension and, for intervals, how each row pulls at it.

    `pull` is what leaving a row out takes away, the mean over rows set aside; zero for rows
    that take no part. `closest` is the nearest row of each, -1 for none.
    """

    value: float
    pull: FloatArray | None = None
    closest: IndexArray | None = None


def _interval(
    value: float, one: _Dimension, two: _Dimension, joint: _Dimension
) -> tuple[float, float] | None:
    pulls = [each.pull for each in (one, two, joint) if each.pull is not None]
    nearest = [each.closest for each in (one, two, joint) if each.closest is not None]
    if len(pulls) < 3:
        return None
    # To first order; where both dimensions are equal the larger one is either.
    largest = max(one.value, two.value)
    leading = pulls[0] if one.value >= two.value else pulls[1]
    with np.errstate(invalid="ignore"):  # an infinite slope leaves no interval
        terms = (pulls[0] + pulls[1] - pulls[2] - value * leading) / largest
    return interval(value, terms, nearest)


def _value(i1: float, i2: float, i12: float) -> float:
    return (i1 + i2 - i12) / max(i1, i2)
