"""Scores from neighbour lists for all pairs of embeddings: what is prepared once, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from matteralign.metrics.base.card import DefinitionInfo, NeighbourLists, Neighbours
from matteralign.metrics.base.cautions import few_rows_note
from matteralign.metrics.base.inputs import BoolArray, IndexArray
from matteralign.metrics.base.registry import definition_of
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.embedding.exact_loops import EUCLID, INNER
from matteralign.metrics.embedding.kept import Kept
from matteralign.metrics.embedding.ties import Labels, tie_labels
from matteralign.metrics.local.common import Shared, shared
from matteralign.metrics.local.kernel import LocalKernel, local_kernel, restricted_kernel
from matteralign.metrics.local.lists import LocalLists, Restricted, local_lists, refill, restrict
from matteralign.metrics.tiles.neighbors import Neighbors, list_length

# By metric, definition, k and leading rows.
Scores = dict[tuple[str, str, int, int | None], tuple[Scored, Scored]]
_CODES = {"euclid": EUCLID, "inner": INNER}

# What one listed neighbour takes in a prepared kernel, and on top for each k; and a row beside
# its list.
_ENTRY_BYTES, _K_BYTES, _ROW_BYTES = 16, 4, 96

LEAST_SHARE = 0.2
"""Share of the rows that must carry the entries of CKNNA. Gaussian rows: 0.23 with two columns,
0.5 to 0.9 with ten and more; of rows with three degrees of freedom (t): 0.01 to 0.2."""


class LocalPairs:
    """Scores of pairs by every definition that reads neighbour lists.

    What is prepared of an embedding serves all its pairs, but not all embeddings may fit
    into memory prepared: pairs are scored block by block, each of so many embeddings that
    what one block needs is kept until its end, and side by side within a block.

    Parameters
    ----------
    embeddings : mapping of str to Embedding
    pairs : sequence of (str, str)
        Each pair once.
    neighbors : callable
        Returns the lists of an embedding, by name; from several threads at once.
    specs : sequence of MetricSpec
        Of definitions that read `NeighbourLists`.
    limits : sequence of int
        Leading rows for the sweep; the last is all rows.
    statistics : bool
        Add intervals.
    double : bool
        Take rows in float64.
    resources : Resources
        Memory bounds what is kept prepared.
    """

    def __init__(
        self,
        embeddings: Mapping[str, Embedding],
        pairs: Sequence[tuple[str, str]],
        neighbors: Callable[[str], Neighbors],
        specs: Sequence[MetricSpec],
        *,
        limits: Sequence[int],
        statistics: bool,
        double: bool,
        resources: Resources,
    ) -> None:
        self._embeddings, self._neighbors = embeddings, neighbors
        self._statistics, self._double, self._threads = statistics, double, resources.threads
        self._limits: list[int | None] = [None, *limits[:-1]]
        self._ks = {
            kind: tuple(sorted({k for s in specs if (k := s.neighbors_read(kind))}))
            for kind in get_args(Neighbours)
        }
        asked: dict[tuple[str, str], set[int]] = {}
        for spec in specs:
            k = spec.neighbors_read(_lists(spec.definition_info).kind)
            asked.setdefault((spec.metric, spec.definition), set()).add(k)
        self._asked = {key: sorted(ks) for key, ks in asked.items()}
        longest = max((ks[-1] for ks in self._ks.values() if ks), default=1)
        rows = max((m.n for m in embeddings.values()), default=1)
        lists = max(len(ks) for ks in self._ks.values())
        entry = _ENTRY_BYTES + _K_BYTES * lists
        size = rows * (list_length(longest) * entry + _ROW_BYTES)
        room = max(2, resources.memory_bytes // (2 * size))
        self._kept = Kept(room)
        # An embedding is read whole while it is prepared.
        widest = max((m.d * (8 if double else 4) for m in embeddings.values()), default=1)
        self._reading = BoundedSemaphore(max(1, resources.memory_bytes // (4 * rows * widest)))
        self._group = {name: i // (room // 2) for i, name in enumerate(embeddings)}
        self._blocks: dict[frozenset[int], list[tuple[str, str]]] = {}
        for pair in pairs:
            self._blocks.setdefault(self._block_of(*pair), []).append(pair)
        self._results: dict[tuple[str, str], list[Future[Scores]]] = {}
        self._labels: dict[str, Labels] = {}

    def score(self, a: str, b: str, spec: MetricSpec) -> tuple[Scored, Scored]:
        """Return the scores of (a, b) and (b, a)."""
        if (a, b) not in self._results:
            self._score_block(self._block_of(a, b))
        found = {k: v for part in self._results[a, b] for k, v in part.result().items()}
        k = spec.neighbors_read(_lists(spec.definition_info).kind)
        key = (spec.metric, spec.definition, k)
        forward, backward = found[*key, None]
        fewer = [found[*key, limit] for limit in self._limits[1:]]
        if not fewer:
            return forward, backward
        return forward.swept(f for f, _ in fewer), backward.swept(b for _, b in fewer)

    def done_with(self, a: str, b: str) -> None:
        """Forget the results of a pair."""
        self._results.pop((a, b), None)

    def _block_of(self, a: str, b: str) -> frozenset[int]:
        return frozenset((self._group[a], self._group[b]))

    def _score_block(self, block: frozenset[int]) -> None:
        pairs = self._blocks[block]
        names = list(dict.fromkeys(name for pair in pairs for name in pair))
        kernels = any(_lists(definition_of(*key)).entries for key in self._asked)
        pool = ThreadPoolExecutor(self._threads)
        # BLAS on one thread: on more, sums could come out in another order.
        with threadpool_limits(1):
            try:
                for pair in pairs:
                    self._results[pair] = []
                for limit in self._limits:
                    if kernels:
                        # One that fails does so again in its own pairs, which tell of it.
                        wait([pool.submit(self._prepare, name, limit) for name in names])
                    for pair in pairs:
                        self._results[pair].append(pool.submit(self._compute, pair, limit))
                    wait([self._results[pair][-1] for pair in pairs])
            finally:
                pool.shutdown(cancel_futures=True)

    def _prepare(self, name: str, limit: int | None) -> None:
        self._kernel(name, self._embeddings[name].valid, limit)

    def _compute(self, pair: tuple[str, str], limit: int | None) -> Scores:
        a, b = pair
        common = self._embeddings[a].shared_with(self._embeddings[b])
        out: Scores = {}
        entries: dict[tuple[int, ...], Shared] = {}
        for key, ks in self._asked.items():
            info = definition_of(*key)
            score, reads = info.load(), _lists(info)
            if not reads.entries:
                one, two = (self._lists(name, reads.kind, common, limit) for name in pair)
                both = _both_ways(score(one, two, ks), info.symmetric)
            else:
                left, right = (self._kernel(name, common, limit) for name in pair)
                if tuple(ks) not in entries:
                    entries[tuple(ks)] = shared(left.lists, right.lists, ks)
                both = _both_ways(score(left, right, ks, entries[tuple(ks)]), info.symmetric)
                if left.lists.jackknifed and limit is None:
                    shares = (min(left.share(k), right.share(k)) for k in ks)
                    both = [
                        (_noted(f, s), _noted(b, s)) for (f, b), s in zip(both, shares, strict=True)
                    ]
            out |= {(*key, k, limit): s for k, s in zip(ks, both, strict=True)}
        return out

    def _lists(
        self, name: str, kind: Neighbours, common: BoolArray, limit: int | None
    ) -> LocalLists:
        def make() -> LocalLists:
            index, valid, ks, jackknife = self._index(name, kind, limit)
            cut = common[: len(valid)]
            if not np.array_equal(cut, valid):
                index = self.restricted(name, kind, index, cut, ks).index
            return local_lists(index, ks, valid=cut, jackknife=jackknife)

        return self._kept.get((name, kind, common.tobytes(), limit), make)

    def _kernel(self, name: str, common: BoolArray, limit: int | None) -> LocalKernel:
        own = self._embeddings[name].valid
        if not np.array_equal(common, own):
            whole = self._kernel(name, own, limit)

            def make_restricted() -> LocalKernel:
                index, valid, ks, jackknife = self._index(name, "inner", limit)
                cut = common[: len(valid)]
                part = self.restricted(name, "inner", index, cut, ks)
                with self._reading:
                    rows = replace(whole, x=self._rows(name, limit))
                    return _light(restricted_kernel(rows, part, ks, jackknife=jackknife))

            return self._kept.get((name, "kernel", common.tobytes(), limit), make_restricted)

        def make() -> LocalKernel:
            index, valid, ks, jackknife = self._index(name, "inner", limit)
            with self._reading:
                rows = self._rows(name, limit)
                return _light(local_kernel(rows, index, ks, valid=valid, jackknife=jackknife))

        return self._kept.get((name, "kernel", own.tobytes(), limit), make)

    def _index(
        self, name: str, kind: Neighbours, limit: int | None
    ) -> tuple[IndexArray, BoolArray, tuple[int, ...], bool]:
        """Return lists, their rows, the k to prepare for and whether to leave blocks out."""
        near, embedding = self._neighbors(name), self._embeddings[name]
        if limit is not None:
            near = dict(near.leading)[limit]
        size = embedding.n if limit is None else limit
        index = (near.euclid_index if kind == "euclid" else near.inner_index)[:size]
        return index, embedding.valid[:size], self._ks[kind], self._statistics and limit is None

    def restricted(
        self, name: str, kind: Neighbours, index: IndexArray, common: BoolArray, ks: tuple[int, ...]
    ) -> Restricted:
        """Drop rows outside `common`; find the lists again that became too short."""
        part = restrict(index, common, max(ks))
        if len(part.short):
            with self._reading:
                x = self._rows(name, len(common))[common]
                refill(part, _CODES[kind], x, self._labels_of(name)[: len(common)][common])
        return part

    def _labels_of(self, name: str) -> Labels:
        """Return the labels of an embedding's rows, shape (n,); of masked ones zero."""
        embedding = self._embeddings[name]
        if name not in self._labels:
            labels = np.zeros(embedding.n, np.uint64)
            labels[embedding.valid] = tie_labels(embedding)
            self._labels[name] = labels
        return self._labels[name]

    def _rows(self, name: str, limit: int | None) -> npt.NDArray[Any]:
        """Return the scaled rows of an embedding, masked ones zero."""
        embedding = self._embeddings[name]
        size = embedding.n if limit is None else limit
        # Beyond the range of float32 rows stay in float64.
        wide = self._double or not 2.0**-60 < embedding.unit < 2.0**60
        out = np.zeros((size, embedding.d), np.float64 if wide else np.float32)
        for start, stop in embedding.spans():
            if start < size:
                end = min(stop, size)
                out[start:end] = embedding.block(start, end) * embedding.unit
        return out


def _lists(info: DefinitionInfo) -> NeighbourLists:
    """Return which lists a definition reads."""
    if not isinstance(info.reads, NeighbourLists):
        raise TypeError(f"{info.name} reads {info.reads}, no neighbour lists")
    return info.reads


def _both_ways(scores: Sequence[Any], symmetric: bool) -> list[tuple[Scored, Scored]]:
    return [(s, s) for s in scores] if symmetric else list(scores)


def _light(kernel: LocalKernel) -> LocalKernel:
    """Return a kernel without the rows it was made from."""
    return replace(kernel, x=np.empty((0, 0)))


def _noted(score: Scored, share: float) -> Scored:
    if score.value is None or share >= LEAST_SHARE:
        return score
    return replace(score, note=few_rows_note(share, score.n))
