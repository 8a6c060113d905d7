"""Scores from neighbour lists for all pairs of members: what is prepared once, what is kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from matteralign.metrics.inputs import IndexArray
from matteralign.metrics.kernels.exact import DISTANCE, PRODUCT, row_norms, search_row
from matteralign.metrics.local_huh2024 import cknna_huh2024
from matteralign.metrics.local_kernel import LocalKernel, local_kernel, restricted_kernel
from matteralign.metrics.local_lists import LocalLists, Restricted, local_lists, restrict
from matteralign.metrics.local_result import LocalScore
from matteralign.metrics.local_scores import cknna_text, mutual_knn
from matteralign.metrics.members import BoolArray, Member
from matteralign.metrics.neighbors import Neighbors
from matteralign.metrics.specs import MetricSpec, Scored, SweepPoint

Kind = Literal["euclid", "inner"]
_CODES = {"euclid": DISTANCE, "inner": PRODUCT}

# What one listed neighbour takes in a prepared kernel, and a row beside its list.
_ENTRY_BYTES, _ROW_BYTES = 24, 96


def kind_of(spec: MetricSpec) -> Kind:
    """Return which neighbours a list-based metric reads."""
    return "euclid" if spec.definition == "euclidean" else "inner"


class LocalPairs:
    """CKNNA and mutual neighbours of pairs.

    Parameters
    ----------
    members : mapping of str to Member
    neighbors : callable
        Returns the lists of a member, by name.
    specs : sequence of MetricSpec
        Of metrics ``cknna`` and ``mutual_knn``.
    statistics : bool
        Add intervals.
    double : bool
        Take rows in float64.
    memory_bytes : int
        Bound on what is kept prepared.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        neighbors: Callable[[str], Neighbors],
        specs: Sequence[MetricSpec],
        *,
        statistics: bool,
        double: bool,
        memory_bytes: int,
    ) -> None:
        self._members, self._neighbors = members, neighbors
        self._statistics, self._double = statistics, double
        self._ks = {
            kind: tuple(sorted({s.integer("k") for s in specs if kind_of(s) == kind}))
            for kind in ("euclid", "inner")
        }
        self._definition_ks: dict[tuple[str, str], list[int]] = {}
        for spec in specs:
            ks = self._definition_ks.setdefault((spec.metric, spec.definition), [])
            ks.append(spec.integer("k"))
        longest = max((ks[-1] for ks in self._ks.values() if ks), default=1)
        rows = max((m.n for m in members.values()), default=1)
        size = rows * (2 * longest * _ENTRY_BYTES + _ROW_BYTES)
        self._room = max(2, memory_bytes // (2 * size))
        self._kept: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._results: dict[tuple[Any, ...], dict[int, tuple[LocalScore, LocalScore]]] = {}

    def score(
        self, a: str, b: str, spec: MetricSpec, limits: Sequence[int]
    ) -> tuple[Scored, Scored]:
        """Return the scores of (a, b) and (b, a).

        Parameters
        ----------
        limits : sequence of int
            Leading rows for the sweep; the last is all rows.
        """
        both = self._at(a, b, spec, None)
        forward, backward = both[0].scored(), both[1].scored()
        if len(limits) < 2:
            return forward, backward
        points: tuple[list[SweepPoint], list[SweepPoint]] = ([], [])
        for limit in limits[:-1]:
            for line, score in zip(points, self._at(a, b, spec, limit), strict=True):
                if score.value is not None:
                    line.append(SweepPoint(score.n, score.value, score.debiased))
        return _with(forward, points[0]), _with(backward, points[1])

    def done_with(self, a: str, b: str) -> None:
        """Forget the results of a pair."""
        self._results = {key: v for key, v in self._results.items() if key[:2] != (a, b)}

    def _at(
        self, a: str, b: str, spec: MetricSpec, limit: int | None
    ) -> tuple[LocalScore, LocalScore]:
        key = (a, b, spec.metric, spec.definition, limit)
        if key not in self._results:
            ks = sorted(set(self._definition_ks[spec.metric, spec.definition]))
            self._results[key] = dict(zip(ks, self._compute(a, b, spec, ks, limit), strict=True))
        return self._results[key][spec.integer("k")]

    def _compute(
        self, a: str, b: str, spec: MetricSpec, ks: list[int], limit: int | None
    ) -> list[tuple[LocalScore, LocalScore]]:
        common = self._members[a].valid & self._members[b].valid
        if spec.metric == "mutual_knn":
            one, two = (self._lists(name, kind_of(spec), common, limit) for name in (a, b))
            return [(s, s) for s in mutual_knn(one, two, ks)]
        left, right = (self._kernel(name, common, limit) for name in (a, b))
        if spec.definition == "huh2024":
            return cknna_huh2024(left, right, ks)
        return [(s, s) for s in cknna_text(left, right, ks)]

    def _lists(self, name: str, kind: Kind, common: BoolArray, limit: int | None) -> LocalLists:
        def make() -> LocalLists:
            index, valid, ks, jackknife = self._index(name, kind, limit)
            cut = common[: len(valid)]
            if not np.array_equal(cut, valid):
                index = self.restricted(name, kind, index, cut, ks).index
            return local_lists(index, ks, valid=cut, jackknife=jackknife)

        return self._keep((name, kind, common.tobytes(), limit), make)  # type: ignore[no-any-return]

    def _kernel(self, name: str, common: BoolArray, limit: int | None) -> LocalKernel:
        own = self._members[name].valid
        if not np.array_equal(common, own):
            whole = self._kernel(name, own, limit)

            def make_restricted() -> LocalKernel:
                index, valid, ks, jackknife = self._index(name, "inner", limit)
                cut = common[: len(valid)]
                part = self.restricted(name, "inner", index, cut, ks)
                rows = replace(whole, x=self._rows(name, limit))
                return _light(restricted_kernel(rows, part, ks, jackknife=jackknife))

            key = (name, "kernel", common.tobytes(), limit)
            return self._keep(key, make_restricted)  # type: ignore[no-any-return]

        def make() -> LocalKernel:
            index, valid, ks, jackknife = self._index(name, "inner", limit)
            rows = self._rows(name, limit)
            return _light(local_kernel(rows, index, ks, valid=valid, jackknife=jackknife))

        return self._keep((name, "kernel", own.tobytes(), limit), make)  # type: ignore[no-any-return]

    def _index(
        self, name: str, kind: Kind, limit: int | None
    ) -> tuple[IndexArray, BoolArray, tuple[int, ...], bool]:
        """Return lists, their rows, the k to prepare for and whether to leave blocks out."""
        near, member = self._neighbors(name), self._members[name]
        if limit is not None:
            near = dict(near.leading)[limit]
        size = member.n if limit is None else limit
        index = (near.euclid_index if kind == "euclid" else near.inner_index)[:size]
        return index, member.valid[:size], self._ks[kind], self._statistics and limit is None

    def restricted(
        self, name: str, kind: Kind, index: IndexArray, common: BoolArray, ks: tuple[int, ...]
    ) -> Restricted:
        """Drop rows outside `common`; find the lists again that became too short."""
        part = restrict(index, common, max(ks))
        if len(part.short):
            rows = np.flatnonzero(common)
            x = self._rows(name, len(common))[common]
            wanted = min(index.shape[1], len(rows) - 1)
            places = np.searchsorted(rows, part.short)
            found = np.full((len(part.short), wanted), -1, np.int32)
            norms = row_norms(x)
            for line, place in zip(found, places.tolist(), strict=True):
                scores = np.full(wanted, np.inf)
                search_row(x, norms, _CODES[kind], place, len(x), line, scores)
            part.replace(part.short, rows[found].astype(np.int32))
        return part

    def _rows(self, name: str, limit: int | None) -> npt.NDArray[Any]:
        """Return the scaled rows of a member, masked ones zero."""
        member = self._members[name]
        size = member.n if limit is None else limit
        # Beyond the range of float32 rows stay in float64.
        wide = self._double or not 2.0**-60 < member.unit < 2.0**60
        out = np.zeros((size, member.d), np.float64 if wide else np.float32)
        for start, stop in member.spans():
            if start < size:
                end = min(stop, size)
                out[start:end] = member.block(start, end) * member.unit
        return out

    def _keep(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        while len(self._kept) >= self._room:
            self._kept.popitem(last=False)
        made = self._kept[key] = make()
        return made


def _light(kernel: LocalKernel) -> LocalKernel:
    """Return a kernel without the rows it was made from."""
    return replace(kernel, x=np.empty((0, 0)))


def _with(scored: Scored, points: list[SweepPoint]) -> Scored:
    if scored.value is None:
        return scored
    last = SweepPoint(scored.n, scored.value, scored.debiased)
    return replace(scored, sweep=(*points, last))
