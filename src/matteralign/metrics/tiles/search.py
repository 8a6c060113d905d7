"""Exact nearest rows of one embedding, by distance and by inner product at once.

One matrix product per pair of row pieces serves all kinds of neighbours, both rows of a pair,
and every scaling that divides each row by a number of its own. It runs in single precision on
centred rows and only proposes: candidates are scored again in float64, and a row whose list
cannot be proved complete against the rounding of the product is searched again in double
precision, then, if it still cannot (ties), one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.base.inputs import FloatArray, IndexArray, LongArray
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.workers import Workers
from matteralign.metrics.embedding.exact_loops import rank_candidates, search_row
from matteralign.metrics.embedding.ties import Labels
from matteralign.metrics.tiles.backend import Array, Backend, Cut, Kept, backend_of
from matteralign.metrics.tiles.candidates import Proposed
from matteralign.metrics.tiles.plan import Piece, Step, steps
from matteralign.metrics.tiles.row_factors import RowFactors, rescaled
from matteralign.metrics.tiles.scores import Form, Geometry, form

_CHUNK_BYTES = 256 * 1024**2
_ORDERED = 256  # rows whose candidates are sorted together


@dataclass(frozen=True)
class Found:
    """Lists of one kind over the first `limit` rows.

    Attributes
    ----------
    limit : int
    index : ndarray of int32, shape (limit, k)
        Nearest first, equally near ones as `ties` says.
    score : ndarray of float64, shape (limit, k)
        Squared distance, or negative inner product, in working units.
    """

    limit: int
    index: IndexArray
    score: FloatArray


@dataclass(frozen=True)
class Asked:
    """What to find among the rows of an embedding under one scaling.

    Attributes
    ----------
    rows : callable
        Makes the rows in working units, ndarray of float32 or float64, shape (n, d). Called
        whenever they are needed, so that those of several scalings are not held at once.
    mean : ndarray of float64, shape (d,)
    wanted : mapping of int to int
        Kind (`exact.EUCLID`, `INNER`) to neighbours per row, below n.
    """

    rows: Callable[[], npt.NDArray[Any]]
    mean: FloatArray
    wanted: Mapping[int, int]


@dataclass
class Effort:
    """How the lists were found, in rows."""

    certified: int = 0
    double: int = 0


def search(
    base: Asked,
    labels: Annotated[Labels, "n"],
    others: Sequence[Asked] = (),
    *,
    length: float = 1.0,
    edges: Sequence[int],
    limits: Sequence[int] = (),
    dtype: npt.DTypeLike = np.float32,
    resources: Resources,
) -> list[tuple[dict[int, list[Found]], Effort]]:
    """Find the nearest rows of every row.

    Parameters
    ----------
    base : Asked
        The rows that are multiplied; `wanted` may be empty where there are others.
    labels : ndarray of uint64, shape (n,)
        See `tie_labels`.
    others : sequence of Asked
        The same rows at other lengths. Then all rows of `base` must be of one length, zeros
        aside, and a row of zeros zeros everywhere.
    length : float
        That length.
    edges : sequence of int
        Borders of row blocks, from 0 to n.
    limits : sequence of int
        Borders among `edges`: the lists are also found among the first so many rows alone.
    dtype : float32 or float64
        Of the matrix products. The lists do not depend on it.
    resources : Resources
        Memory bounds what is held beside the lists, the rows under one scaling and a centred
        copy. The lists do not depend on the backend.

    Returns
    -------
    list of (dict of int to list of Found, Effort)
        For `base` and each of the others. Per kind one entry for every limit and one for all
        rows, ascending.
    """
    backend = backend_of(resources)
    x = base.rows()
    n, d = x.shape
    wide = np.result_type(x, dtype)
    centred = np.subtract(x, base.mean.astype(wide), dtype=wide).astype(dtype, copy=False)
    if not others:
        base = replace(base, rows=partial(_same, x))
    views = [_View.of(base, x, centred, backend)] if base.wanted else []
    del x
    views += [_View.rescaled(one, base, length, centred, backend) for one in others]
    ends = (*sorted(set(limits) - {n}), n)
    for view in views:
        view.found = {k: [_empty(end, most) for end in ends] for k, most in view.wanted.items()}
    cut = backend.search_cut(d, centred.itemsize, resources.memory_bytes)
    whole = _Search(backend, cut, centred, labels, views, resources.threads)
    per_row = sum(backend.kept_bytes(keep, centred.itemsize) for keep in whole.keep.values())
    groups = _groups(edges, limits, cut, per_row, resources.memory_bytes)
    with (
        backend.session(),
        threadpool_limits(1),
        Workers(backend.workers(resources.threads)) as tiles,
        Workers(resources.threads) as pool,
    ):
        for position, (low, high) in enumerate(groups):
            part = resources.part(position / len(groups), 1.0 / len(groups))
            whole.run(low, high, edges, ends, tiles, pool, part.tell)
    done = [(view.found, view.effort) for view in views]
    return done if base.wanted else [({}, Effort()), *done]


@dataclass
class _View:
    """One scaling: how its scores come from the tiles, and its lists.

    `factors` is None where the tile is of these rows themselves.
    """

    rows: Callable[[], npt.NDArray[Any]]
    mean: FloatArray
    wanted: Mapping[int, int]
    forms: dict[int, Form]
    on_device: dict[int, Form]
    factors: RowFactors | None = None
    found: dict[int, list[Found]] = field(default_factory=dict)
    effort: Effort = field(default_factory=Effort)

    @classmethod
    def of(
        cls, asked: Asked, x: npt.NDArray[Any], centred: npt.NDArray[Any], backend: Backend
    ) -> _View:
        geometry = Geometry.of(x, centred, asked.mean)
        forms = {kind: form(kind, geometry, centred.dtype) for kind in asked.wanted}
        there = {kind: backend.form(f) for kind, f in forms.items()}
        return cls(asked.rows, asked.mean, asked.wanted, forms, there)

    @classmethod
    def rescaled(
        cls, asked: Asked, base: Asked, length: float, centred: npt.NDArray[Any], backend: Backend
    ) -> _View:
        made = rescaled(asked.rows(), asked.mean, centred, base.mean, length)
        forms = {
            kind: form(kind, made.geometry, centred.dtype, made.rounding) for kind in asked.wanted
        }
        there = {kind: backend.form(f) for kind, f in forms.items()}
        factors = backend.factors(made.factors)
        return cls(asked.rows, asked.mean, asked.wanted, forms, there, factors)


_Key = tuple[int, int]
"""Number of a view, and kind of neighbours."""


class _Search:
    def __init__(
        self,
        backend: Backend,
        cut: Cut,
        centred: npt.NDArray[Any],
        labels: Labels,
        views: Sequence[_View],
        threads: int,
    ) -> None:
        self.backend, self.cut = backend, cut
        self.centred, self.labels, self.views = centred, labels, views
        self.keep: dict[_Key, int] = {
            (number, kind): min(k + backend.margin, len(centred))
            for number, view in enumerate(views)
            for kind, k in view.wanted.items()
        }
        self.threads = threads
        # One worker may write to the lists of all rows; several would get in each other's way.
        self.alone = backend.workers(threads) == 1

    def run(
        self,
        low: int,
        high: int,
        edges: Sequence[int],
        limits: Sequence[int],
        tiles: Workers,
        pool: Workers,
        tell: Callable[[float], None],
    ) -> None:
        """Fill the lists of rows ``low:high``."""
        empty, dtype = self.backend.candidates, self.centred.dtype
        rows = {key: empty(high - low, keep, dtype) for key, keep in self.keep.items()}
        local = _PerThread(self.backend, self.cut.panel, self.keep, dtype)
        walk = list(steps(edges, limits, self.cut.panel, self.cut.piece))
        own = [p for p in walk[-1].rows if low <= p.start < high]
        for done, step in enumerate(walk, start=1):
            inside = step.start >= low and step.stop <= high
            active = [p for p in own if p.start < step.stop] if inside else own
            panel = self.backend.array(self.centred[step.start : step.stop])
            work = partial(
                self._tile, step=step, panel=panel, low=low, inside=inside, rows=rows, local=local
            )
            if inside:
                # The panel's own rows first: the bounds they find spare the other tiles'
                # columns from starting at nothing.
                own_rows = [p for p in active if p.start >= step.start]
                tiles.map(work, own_rows)
                local.start_from(
                    {
                        key: part.part(step.start - low, step.stop - low)
                        for key, part in rows.items()
                    }
                )
                active = [p for p in active if p.start < step.start]
            tiles.map(work, active)
            if inside:
                local.start_from({})
                for key, part in local.filled():
                    part_rows = rows[key].part(step.start - low, step.stop - low)
                    part_rows.take(part.part(0, step.stop - step.start))
                    part.reset()
            if step.stop in limits and low < step.stop:
                place = limits.index(step.stop)
                for number, view in enumerate(self.views):
                    x = view.rows()
                    for kind, lists in view.found.items():
                        kept = rows[number, kind].part(0, min(high, step.stop) - low)
                        _Finish(self, view, kind, x, lists[place]).run(low, kept, pool)
            tell(done / len(walk))

    def _tile(
        self,
        piece: Piece,
        *,
        step: Step,
        panel: Array,
        low: int,
        inside: bool,
        rows: Mapping[_Key, Kept],
        local: _PerThread,
    ) -> None:
        first = max(step.start, piece.start) if inside else step.start
        columns, at = slice(first, step.stop), slice(piece.start, piece.stop)
        mine = self.backend.array(self.centred[at])
        product = self.backend.product(mine, panel[first - step.start :])
        behind = max(0, piece.stop - first)
        for number, view in enumerate(self.views):
            tile = product
            if view.factors is not None:
                tile = self.backend.rescale(product, view.factors, at, columns)
            for kind, f in view.on_device.items():
                key = number, kind
                kept = rows[key].part(piece.start - low, piece.stop - low)
                self.backend.offer_rows(tile, f, at, columns, piece.start, kept)
                if inside and piece.stop < step.stop:
                    if self.alone:
                        other = rows[key].part(first - low, step.stop - low)
                    else:
                        other = local.candidates(key)
                        other = other.part(first - step.start, step.stop - step.start)
                    self.backend.offer_columns(tile, f, at, columns, behind, other)


@dataclass(frozen=True)
class _Finish:
    """From the candidates of one kind of neighbours to lists that are complete."""

    whole: _Search
    view: _View
    kind: int
    x: npt.NDArray[Any]
    out: Found

    def run(self, low: int, rows: Kept, pool: Workers) -> None:
        """Fill the lists of the rows from `low` on."""
        held = rows.found()
        high, effort = low + len(held.threshold), self.view.effort
        count = max(1, min(self.whole.threads * 4, high - low))
        parts = np.array_split(np.arange(low, high), count)
        work = partial(self._certify, low=low, held=held)
        open_rows = np.concatenate(pool.map(work, [p for p in parts if len(p)]))
        effort.certified += high - low - len(open_rows)
        if len(open_rows) == 0:
            return
        # Products that come from others are less sharp than the rows' own in any precision.
        if self.whole.centred.dtype != np.float64 or self.view.factors is not None:
            effort.double += len(open_rows)
            open_rows = self._in_double(open_rows)
        pool.map(self._one_by_one, open_rows.tolist())

    def _certify(self, part: LongArray, *, low: int, held: Proposed) -> LongArray:
        """Order the candidates of some rows; return the rows that may miss a neighbour."""
        proposed = held.part(part[0] - low, part[-1] + 1 - low)
        return self._order(part, proposed, self.view.forms[self.kind])

    def _order(self, part: LongArray, proposed: Proposed, f: Form) -> LongArray:
        wanted = self.view.wanted[self.kind]
        k = min(wanted, self.out.limit - 1)
        index = np.full((len(part), wanted), -1, np.int32)
        score = np.full((len(part), wanted), np.inf)
        for start in range(0, len(part) if k > 0 else 0, _ORDERED):
            at = slice(start, start + _ORDERED)
            some = proposed.part(at.start, at.stop)
            rank_candidates(
                self.x, self.whole.labels, self.kind, part[at], k,
                some.columns, some.scores, some.order(), some.counts, f.constant[part[at]],
                index[at], score[at],
            )  # fmt: skip
        self.out.index[part], self.out.score[part] = index, score
        if k == 0:
            return part[:0]
        bound = proposed.threshold.astype(np.float64) + f.constant[part]
        sure = np.isinf(proposed.threshold) | (score[:, k - 1] < bound)
        left: LongArray = part[~sure]
        return left

    def _in_double(self, rows: LongArray) -> LongArray:
        x, mean, backend = self.x, self.view.mean, self.whole.backend
        f = form(self.kind, Geometry.of(x, x - mean, mean), np.float64)
        there, panel = backend.form(f), self.whole.cut.panel
        keep = min(self.view.wanted[self.kind] + backend.margin, len(x))
        step = max(1, min(len(rows), _CHUNK_BYTES // (8 * panel)))
        left = []
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            mine = backend.candidates(len(part), keep, np.float64)
            left_rows = backend.array(x[part] - mean)
            for first in range(0, self.out.limit, panel):
                columns = slice(first, min(first + panel, self.out.limit))
                tile = backend.product(left_rows, backend.array(x[columns] - mean))
                here = np.flatnonzero((part >= columns.start) & (part < columns.stop))
                # Sent to plus infinity by the negative lead: a row is not its own neighbour.
                backend.put(tile, here, part[here] - first, -np.inf)
                backend.offer_rows(tile, there, part, columns, -self.out.limit, mine)
            left.append(self._order(part, mine.found(), f))
        return np.concatenate(left)

    def _one_by_one(self, row: int) -> None:
        out = self.out
        out.index[row], out.score[row] = -1, np.inf
        k = min(self.view.wanted[self.kind], out.limit - 1)
        search_row(
            self.x, self.whole.labels, self.kind, row, out.limit,
            out.index[row, :k], out.score[row, :k],
        )  # fmt: skip


class _PerThread:
    """Candidates of the panel's rows that each thread has to itself."""

    def __init__(
        self, backend: Backend, panel: int, keep: Mapping[_Key, int], dtype: npt.DTypeLike
    ) -> None:
        self._backend, self._panel, self._keep, self._dtype = backend, panel, keep, dtype
        self._mine = threading.local()
        self._all: list[tuple[_Key, Kept]] = []
        self._bounds: dict[_Key, Kept] = {}
        self._lock = threading.Lock()

    def candidates(self, key: _Key) -> Kept:
        """Return this thread's buffers for the rows of the panel."""
        mine = self._mine.__dict__.setdefault("candidates", {})
        if key not in mine:
            mine[key] = self._backend.candidates(self._panel, self._keep[key], self._dtype)
            with self._lock:
                self._all.append((key, mine[key]))
                if key in self._bounds:
                    mine[key].start_from(self._bounds[key])
        part: Kept = mine[key]
        return part

    def start_from(self, bounds: Mapping[_Key, Kept]) -> None:
        """Also reject the candidates that these rejected for the same rows."""
        self._bounds = dict(bounds)
        for key, part in self._all:
            if key in self._bounds:
                part.start_from(self._bounds[key])

    def filled(self) -> list[tuple[_Key, Kept]]:
        """Return the buffers of every thread with their keys."""
        return list(self._all)


def _same(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return x


def _empty(limit: int, k: int) -> Found:
    return Found(limit, np.full((limit, k), -1, np.int32), np.full((limit, k), np.inf))


def _groups(
    edges: Sequence[int], limits: Sequence[int], cut: Cut, per_row: int, memory_bytes: int
) -> list[tuple[int, int]]:
    """Cut the rows, at borders of panels, so that the buffers of a group stay in bounds."""
    room = max(1, memory_bytes // (2 * per_row))
    groups: list[tuple[int, int]] = []
    for step in steps(edges, limits, cut.panel, cut.piece):
        if groups and step.stop - groups[-1][0] <= room:
            groups[-1] = (groups[-1][0], step.stop)
        else:
            groups.append((step.start, step.stop))
    return groups
