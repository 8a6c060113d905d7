"""Exact nearest rows of one embedding, by distance, inner product and cosine at once.

One matrix product per pair of row pieces serves all kinds of neighbours and both rows of a
pair. It runs in single precision on centred rows and only proposes: candidates are scored
again in float64, and a row whose list cannot be proved complete against the rounding of the
product is searched again in double precision, then, if it still cannot (ties), one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.backend import Array, Backend, Cut, Kept
from matteralign.metrics.candidates import Proposed
from matteralign.metrics.inputs import FloatArray, IndexArray
from matteralign.metrics.kernels.exact import rank_candidates, search_row
from matteralign.metrics.plan import Piece, Step, steps
from matteralign.metrics.scores import Form, Geometry, form
from matteralign.metrics.ties import Labels
from matteralign.metrics.workers import Workers

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


@dataclass
class Effort:
    """How the lists were found, in rows."""

    certified: int = 0
    double: int = 0
    one_by_one: int = 0


def search(
    x: npt.NDArray[Any],
    mean: FloatArray,
    labels: Labels,
    wanted: Mapping[int, int],
    *,
    edges: Sequence[int],
    backend: Backend,
    limits: Sequence[int] = (),
    dtype: npt.DTypeLike = np.float32,
    memory_bytes: int,
    threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> tuple[dict[int, list[Found]], Effort]:
    """Find the nearest rows of every row.

    Parameters
    ----------
    x : ndarray of float32 or float64, shape (n, d)
        Rows in working units.
    mean : ndarray of float64, shape (d,)
    labels : ndarray of uint64, shape (n,)
        See `tie_labels`.
    wanted : mapping of int to int
        Kind (`exact.DISTANCE`, `PRODUCT`, `COSINE`) to neighbours per row, below n.
    edges : sequence of int
        Borders of row blocks, from 0 to n.
    backend : Backend
        What makes the tiles. The lists do not depend on it.
    limits : sequence of int
        Borders among `edges`: the lists are also found among the first so many rows alone.
    dtype : float32 or float64
        Of the matrix products. The lists do not depend on it.
    memory_bytes : int
        Bound on what is held beside the lists, `x` and its centred copy.
    threads : int
    progress : callable, optional
        Told the share of the work done.

    Returns
    -------
    dict of int to list of Found
        Per kind one entry for every limit and one for all rows, ascending.
    Effort
    """
    n = len(x)
    wide = np.result_type(x, dtype)
    centred = np.subtract(x, mean.astype(wide), dtype=wide).astype(dtype, copy=False)
    cut = backend.search_cut(x.shape[1], centred.itemsize, memory_bytes)
    whole = _Search(backend, cut, x, centred, mean, labels, wanted, threads)
    found: dict[int, list[Found]] = {}
    for kind, k in wanted.items():
        found[kind] = [_empty(limit, k) for limit in (*sorted(set(limits) - {n}), n)]
    per_row = sum(backend.kept_bytes(keep, centred.itemsize) for keep in whole.keep.values())
    groups = _groups(edges, limits, cut, per_row, memory_bytes)
    with (
        backend.session(),
        threadpool_limits(1),
        Workers(backend.workers(threads)) as tiles,
        Workers(threads) as pool,
    ):
        for position, (low, high) in enumerate(groups):
            tell = _share(progress, position, len(groups))
            whole.run(low, high, edges, found, dtype, tiles, pool, tell)
    return found, whole.effort


class _Search:
    def __init__(
        self,
        backend: Backend,
        cut: Cut,
        x: npt.NDArray[Any],
        centred: npt.NDArray[Any],
        mean: FloatArray,
        labels: Labels,
        wanted: Mapping[int, int],
        threads: int,
    ) -> None:
        self.backend, self.cut = backend, cut
        self.x, self.centred, self.mean, self.labels = x, centred, mean, labels
        self.geometry = Geometry.of(x, centred, mean)
        self.keep = {kind: min(k + backend.margin, len(x)) for kind, k in wanted.items()}
        self.wanted = wanted
        self.forms = {kind: form(kind, self.geometry, centred.dtype) for kind in wanted}
        self.on_device = {kind: backend.form(f) for kind, f in self.forms.items()}
        self.threads = threads
        # One worker may write to the lists of all rows; several would get in each other's way.
        self.alone = backend.workers(threads) == 1
        self.effort = Effort()

    def run(
        self,
        low: int,
        high: int,
        edges: Sequence[int],
        found: Mapping[int, list[Found]],
        dtype: npt.DTypeLike,
        tiles: Workers,
        pool: Workers,
        tell: Callable[[float], None],
    ) -> None:
        """Fill the lists of rows ``low:high``."""
        empty = self.backend.candidates
        rows = {kind: empty(high - low, keep, dtype) for kind, keep in self.keep.items()}
        local = _PerThread(self.backend, self.cut.panel, self.keep, dtype)
        limits = {entry.limit for lists in found.values() for entry in lists}
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
                        kind: part.part(step.start - low, step.stop - low)
                        for kind, part in rows.items()
                    }
                )
                active = [p for p in active if p.start < step.start]
            tiles.map(work, active)
            if inside:
                local.start_from({})
                for kind, part in local.filled():
                    part_rows = rows[kind].part(step.start - low, step.stop - low)
                    part_rows.take(part.part(0, step.stop - step.start))
                    part.reset()
            for kind, lists in found.items():
                for entry in lists:
                    if entry.limit == step.stop and low < entry.limit:
                        self._finish(kind, entry, low, min(high, entry.limit), rows[kind], pool)
            tell(done / len(walk))

    def _tile(
        self,
        piece: Piece,
        *,
        step: Step,
        panel: Array,
        low: int,
        inside: bool,
        rows: Mapping[int, Kept],
        local: _PerThread,
    ) -> None:
        first = max(step.start, piece.start) if inside else step.start
        columns, at = slice(first, step.stop), slice(piece.start, piece.stop)
        mine = self.backend.array(self.centred[at])
        tile = self.backend.product(mine, panel[first - step.start :])
        for kind, f in self.on_device.items():
            kept = rows[kind].part(piece.start - low, piece.stop - low)
            self.backend.offer_rows(tile, f, at, columns, piece.start, kept)
            if inside and piece.stop < step.stop:
                if self.alone:
                    other = rows[kind].part(first - low, step.stop - low)
                else:
                    other = local.candidates(kind).part(first - step.start, step.stop - step.start)
                behind = max(0, piece.stop - first)
                self.backend.offer_columns(tile, f, at, columns, behind, other)

    def _finish(
        self,
        kind: int,
        out: Found,
        low: int,
        high: int,
        rows: Kept,
        pool: Workers,
    ) -> None:
        held = rows.part(0, high - low).found()
        parts = np.array_split(np.arange(low, high), max(1, min(self.threads * 4, high - low)))
        work = partial(self._certify, kind=kind, out=out, low=low, held=held)
        open_rows = np.concatenate(pool.map(work, [p for p in parts if len(p)]))
        self.effort.certified += high - low - len(open_rows)
        if len(open_rows) == 0:
            return
        if self.centred.dtype != np.float64:
            self.effort.double += len(open_rows)
            open_rows = self._in_double(kind, out, open_rows)
        self.effort.one_by_one += len(open_rows)
        pool.map(partial(self._one_by_one, kind=kind, out=out), open_rows.tolist())

    def _certify(
        self,
        part: npt.NDArray[np.int64],
        *,
        kind: int,
        out: Found,
        low: int,
        held: Proposed,
    ) -> npt.NDArray[np.int64]:
        """Order the candidates of some rows; return the rows that may miss a neighbour."""
        proposed = held.part(part[0] - low, part[-1] + 1 - low)
        return self._order(kind, out, part, proposed, self.forms[kind])

    def _order(
        self,
        kind: int,
        out: Found,
        part: npt.NDArray[np.int64],
        proposed: Proposed,
        f: Form,
    ) -> npt.NDArray[np.int64]:
        k = min(self.wanted[kind], out.limit - 1)
        index = np.full((len(part), self.wanted[kind]), -1, np.int32)
        score = np.full((len(part), self.wanted[kind]), np.inf)
        for start in range(0, len(part) if k > 0 else 0, _ORDERED):
            at = slice(start, start + _ORDERED)
            some = proposed.part(at.start, at.stop)
            rank_candidates(
                self.x, self.geometry.norms, self.labels, kind, part[at], k,
                some.columns, some.scores, some.order(), some.counts, f.constant[part[at]],
                index[at], score[at],
            )  # fmt: skip
        out.index[part], out.score[part] = index, score
        if k == 0:
            return part[:0]
        bound = proposed.threshold.astype(np.float64) + f.constant[part]
        sure = np.isinf(proposed.threshold) | (score[:, k - 1] < bound)
        left: npt.NDArray[np.int64] = part[~sure]
        return left

    def _in_double(
        self, kind: int, out: Found, rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        geometry = Geometry.of(self.x, self.x - self.mean, self.mean)
        f, backend = form(kind, geometry, np.float64), self.backend
        there, panel = backend.form(f), self.cut.panel
        step = max(1, min(len(rows), _CHUNK_BYTES // (8 * panel)))
        left = []
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            mine = backend.candidates(len(part), self.keep[kind], np.float64)
            left_rows = backend.array(self.x[part] - self.mean)
            for first in range(0, out.limit, panel):
                columns = slice(first, min(first + panel, out.limit))
                tile = backend.product(left_rows, backend.array(self.x[columns] - self.mean))
                here = np.flatnonzero((part >= columns.start) & (part < columns.stop))
                # Sent to plus infinity by the negative lead: a row is not its own neighbour.
                backend.put(tile, here, part[here] - first, -np.inf)
                backend.offer_rows(tile, there, part, columns, -out.limit, mine)
            left.append(self._order(kind, out, part, mine.found(), f))
        return np.concatenate(left)

    def _one_by_one(self, row: int, *, kind: int, out: Found) -> None:
        out.index[row], out.score[row] = -1, np.inf
        k = min(self.wanted[kind], out.limit - 1)
        search_row(
            self.x, self.geometry.norms, self.labels, kind, row, out.limit,
            out.index[row, :k], out.score[row, :k],
        )  # fmt: skip


class _PerThread:
    """Candidates of the panel's rows that each thread has to itself."""

    def __init__(
        self, backend: Backend, panel: int, keep: Mapping[int, int], dtype: npt.DTypeLike
    ) -> None:
        self._backend, self._panel, self._keep, self._dtype = backend, panel, keep, dtype
        self._mine = threading.local()
        self._all: list[tuple[int, Kept]] = []
        self._bounds: dict[int, Kept] = {}
        self._lock = threading.Lock()

    def candidates(self, kind: int) -> Kept:
        """Return this thread's buffers for the rows of the panel."""
        mine = self._mine.__dict__.setdefault("candidates", {})
        if kind not in mine:
            mine[kind] = self._backend.candidates(self._panel, self._keep[kind], self._dtype)
            with self._lock:
                self._all.append((kind, mine[kind]))
                if kind in self._bounds:
                    mine[kind].start_from(self._bounds[kind])
        part: Kept = mine[kind]
        return part

    def start_from(self, bounds: Mapping[int, Kept]) -> None:
        """Turn away from now on whatever these have turned away for the same rows."""
        self._bounds = dict(bounds)
        for kind, part in self._all:
            if kind in self._bounds:
                part.start_from(self._bounds[kind])

    def filled(self) -> list[tuple[int, Kept]]:
        """Return the buffers of every thread with their kinds."""
        return list(self._all)


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


def _share(
    progress: Callable[[float], None] | None, position: int, count: int
) -> Callable[[float], None]:
    def tell(share: float) -> None:
        if progress is not None:
            progress((position + share) / count)

    return tell
