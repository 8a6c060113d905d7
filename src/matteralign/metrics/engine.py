"""What the scores of all pairs share, made when the first pair asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import get_args

import numpy as np
import numpy.typing as npt

from matteralign.metrics.arrays.pairs import ArrayPairs
from matteralign.metrics.base.card import NeighbourLists, Neighbours, Ranks, Reads, Rows, Sums
from matteralign.metrics.base.cautions import require_local, with_note
from matteralign.metrics.base.errors import NotApplicable
from matteralign.metrics.base.inputs import BoolArray, IndexArray, require_neighbors, require_rows
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.embedding.embedding import Embedding, far_out
from matteralign.metrics.global_scores import GlobalScores
from matteralign.metrics.imbalance.null import RankNulls
from matteralign.metrics.imbalance.scores import (
    Imbalance,
    Lists,
    count_apart,
    fits_the_pass,
    limits_of,
)
from matteralign.metrics.local.pairs import LocalPairs
from matteralign.metrics.tiles.neighbors import Neighbors, find_neighbors, list_length
from matteralign.metrics.tiles.rank_counts import RankRequest
from matteralign.metrics.tiles.streaming import PassResult, PassState, order_of_pass, stream
from matteralign.metrics.tiles.sums import MatrixSums

# What vanishes where a pair has no score.
_VARIANCE = {"distances": "distance variance", "kernels": "variance"}


@dataclass(frozen=True)
class Options:
    """How `compare` works, see there."""

    resources: Resources
    statistics: bool
    sweep: bool
    double: bool
    pass_state: PassState | None


class Engine:
    """Scores of pairs of embeddings.

    Parameters
    ----------
    embeddings : mapping of str to Embedding
    pairs : sequence of (str, str)
        Each pair once.
    specs : sequence of MetricSpec
    given : mapping of str to Neighbors
    options : Options
    """

    def __init__(
        self,
        embeddings: Mapping[str, Embedding],
        pairs: Sequence[tuple[str, str]],
        specs: Sequence[MetricSpec],
        given: Mapping[str, Neighbors],
        options: Options,
    ) -> None:
        self._embeddings, self._specs, self._options = embeddings, specs, options
        self._given, self._found = given, dict[str, Neighbors]()
        self._searching = Lock()
        self._n = next(iter(embeddings.values())).n if embeddings else 0
        self._limits = limits_of(self._n, sweep=options.sweep)
        # A constant embedding has no score and would only widen the pass.
        varying = [name for name, embedding in embeddings.items() if not embedding.constant]
        self._place = {name: i for i, name in enumerate(varying)}
        self._ordered = [embeddings[name] for name in varying]
        self._nulls = RankNulls(self._ordered)
        self._pairs = [(a, b) for a, b in pairs if a in self._place and b in self._place]
        self._lengths = {
            kind: list_length(max((spec.neighbors_read(kind) for spec in specs), default=0))
            for kind in get_args(Neighbours)
        }
        local = _reading(specs, NeighbourLists)
        shortest = min((_longest(spec) for spec in local), default=1)
        self._local = LocalPairs(
            embeddings,
            [pair for pair in self._pairs if self._shared_rows(*pair) > shortest],
            self._lists_of,
            local,
            limits=self._limits,
            statistics=options.statistics,
            double=options.double,
            resources=options.resources.silent(),
        )
        self._arrays = ArrayPairs(
            embeddings,
            self._pairs,
            _reading(specs, Rows),
            limits=self._limits,
            statistics=options.statistics,
            resources=options.resources.silent(),
        )

    def score(self, a: str, b: str, spec: MetricSpec) -> tuple[Scored, Scored]:
        """Return the scores of (a, b) and (b, a)."""
        n = self._shared_rows(a, b)
        try:
            require_rows(n, spec.definition_info.min_n, spec.metric)
            for name in (a, b):
                if self._embeddings[name].constant:
                    raise NotApplicable(self._embeddings[name].why_constant)
            require_local(spec, n)
            forward, backward = self._applicable(a, b, n, spec)
            both = with_note(spec, forward), with_note(spec, backward)
        except NotApplicable as reason:
            none = Scored.not_applicable(str(reason), n)
            both = none, none
        left_out = [r for r in (self._embeddings[name].refusal for name in (a, b)) if r]
        return _explained(both[0], left_out), _explained(both[1], left_out)

    def done_with(self, a: str, b: str) -> None:
        """Forget what only this pair needed."""
        self._local.done_with(a, b)

    def _shared_rows(self, a: str, b: str) -> int:
        return int(self._common(a, b).sum())

    def _common(self, a: str, b: str) -> BoolArray:
        return self._embeddings[a].shared_with(self._embeddings[b])

    def _applicable(self, a: str, b: str, n: int, spec: MetricSpec) -> tuple[Scored, Scored]:
        reads, k = spec.definition_info.reads, _longest(spec)
        if k:
            require_neighbors(n, k)
        i, j = self._place[a], self._place[b]
        match reads:
            case NeighbourLists():
                return self._local.score(a, b, spec)
            case Rows():
                return self._arrays.score(a, b, spec)
            case Ranks():
                ranks = self._imbalances[k]
                statistics = self._options.statistics
                return (
                    ranks.score(i, j, statistics=statistics),
                    ranks.score(j, i, statistics=statistics),
                )
            case Sums():
                scores = self._of_distances if reads.matrix == "distances" else self._of_kernels
                # The pair is read in one order, so that both directions agree to the bit.
                what = _VARIANCE[reads.matrix]
                both = scores.score(max(i, j), min(i, j), spec.definition, what)
                return both, both

    def _lists_of(self, name: str) -> Neighbors:
        """Return the lists of an embedding, long enough for every metric; for any thread."""
        embedding = self._embeddings[name]
        known = self._given.get(name)
        if known is not None:
            known.check(name, embedding.n)
            if self._long_enough(known, embedding):
                return known
        # One search at a time: it takes all threads and the memory there is.
        with self._searching:
            if name not in self._found:
                self._found[name] = self._search(embedding)
            return self._found[name]

    def _search(self, embedding: Embedding) -> Neighbors:
        return find_neighbors(
            embedding,
            euclid=self._lengths["euclid"],
            inner=self._lengths["inner"],
            sweep=self._options.sweep,
            double=self._options.double,
            resources=self._options.resources.silent(),
        )

    def _long_enough(self, known: Neighbors, embedding: Embedding) -> bool:
        most = int(embedding.valid.sum()) - 1
        there = {"euclid": known.euclid_index.shape[1], "inner": known.inner_index.shape[1]}
        if self._options.sweep and {limit for limit, _ in known.leading} != set(self._limits[:-1]):
            return False
        return all(there[kind] >= min(length, most) for kind, length in self._lengths.items())

    @cached_property
    def _imbalances(self) -> dict[int, Imbalance]:
        """Rank sums per k, counted where that is cheapest."""
        made = self._unfilled
        if self._options.statistics:
            both_ways = self._pairs + [(b, a) for a, b in self._pairs]
            targets = ((self._place[g], self._common(f, g)) for f, g in both_ways)
            self._nulls.prepare(targets, self._options.resources.threads)
        if self._passes_ranks:
            _ = self._pass
        else:
            count_apart(
                list(made.values()),
                exact=self._options.double,
                resources=self._options.resources,
            )
        return made

    @cached_property
    def _unfilled(self) -> dict[int, Imbalance]:
        ks = {_longest(spec) for spec in _reading(self._specs, Ranks)}
        usable = sorted(k for k in ks if k < self._n)
        # Each reads the first columns of the longest.
        lists = self._edges(usable[-1]) if usable else {}
        return {k: Imbalance(k, self._ordered, lists, self._limits, self._nulls) for k in usable}

    def _edges(self, k: int) -> Lists:
        """Return the neighbours of every source among the rows it shares with a target."""
        out: dict[tuple[int, int, int], IndexArray] = {}
        restricted: dict[tuple[str, bytes, int], IndexArray] = {}
        for pair in self._pairs:
            for f, g in (pair, pair[::-1]):
                common = self._common(f, g)
                for limit in self._limits:
                    key = (f, common.tobytes(), limit)
                    if key not in restricted:
                        restricted[key] = self._edges_of(f, common[:limit], limit, k)
                    out[self._place[f], self._place[g], limit] = restricted[key]
        return out

    def _edges_of(self, name: str, common: BoolArray, limit: int, k: int) -> IndexArray:
        near = self._lists_of(name)
        if limit < self._n:
            near = dict(near.leading)[limit]
        index = near.euclid_index[:limit]
        if not np.array_equal(common, self._embeddings[name].valid[:limit]):
            index = self._local.restricted(name, "euclid", index, common, (k,)).index
        # Where there are too few rows for k the pair has no score, but the first of these
        # neighbours are counted for a smaller k as well.
        out = np.full((limit, k), -1, np.int32)
        out[:, : index.shape[1]] = index[:, :k]
        return out

    @cached_property
    def _double(self) -> bool:
        """Whether tiles of the pass are double: asked for, or single ones would lose digits."""
        return self._options.double or any(map(far_out, self._ordered))

    @cached_property
    def _passes_ranks(self) -> bool:
        options, made = self._options, self._unfilled
        if self._double or not made:
            return False
        per_row = []
        for target in range(len(self._place)):
            counts = [ranks.edges_per_row(target) for ranks in made.values()]
            per_row.append((sum(held for held, _ in counts), sum(seen for _, seen in counts)))
        return fits_the_pass(self._n, per_row, 4, options.resources.memory_bytes)

    @cached_property
    def _pass(self) -> list[PassResult]:
        """Sums over all rows, then over fewer and fewer leading ones."""
        options = self._options
        asked = {spec.definition_info.reads for spec in self._specs}
        ordered = self._ordered
        needed = np.zeros((len(ordered), len(ordered)), bool)
        for a, b in self._pairs:
            needed[self._place[a], self._place[b]] = True
        dtype = np.float64 if self._double else np.float32
        # The whole first: its state is kept, and the others are done again from the start.
        limits = self._limits[::-1]
        work = [limit * limit for limit in limits]
        out = []
        for place, limit in enumerate(limits):
            leading = limit if limit < self._n else None
            done, share = sum(work[:place]) / sum(work), work[place] / sum(work)
            out.append(
                stream(
                    ordered,
                    distances=Sums("distances") in asked,
                    kernels=Sums("kernels") in asked,
                    pairs=needed,
                    ranks=self._requests(limit, leading, dtype),
                    leading=leading,
                    dtype=dtype,
                    resources=options.resources.part(done, share),
                    pass_state=options.pass_state if leading is None else None,
                )
            )
        return out

    def _requests(
        self, limit: int, leading: int | None, dtype: npt.DTypeLike
    ) -> list[list[RankRequest]]:
        """Return per target what a pass over the first `limit` rows is to count."""
        order, _ = order_of_pass(self._n, leading)
        return [
            [
                request.in_order(order)
                for made in self._unfilled.values()
                for request in made.requests(target, bounds=dtype, only=limit)
            ]
            if self._passes_ranks
            else []
            for target in range(len(self._ordered))
        ]

    @cached_property
    def _of_distances(self) -> GlobalScores:
        return self._global([found.distances for found in self._pass])

    @cached_property
    def _of_kernels(self) -> GlobalScores:
        return self._global([found.kernels for found in self._pass])

    def _global(self, sums: Sequence[MatrixSums | None]) -> GlobalScores:
        whole, *fewer = [each for each in sums if each is not None]
        statistics, sweep = self._options.statistics, self._options.sweep
        return GlobalScores(whole, fewer[::-1], statistics=statistics, sweep=sweep)


def _reading(specs: Sequence[MetricSpec], kind: type[Reads]) -> list[MetricSpec]:
    """Return the specs that are computed from one kind of thing."""
    return [spec for spec in specs if isinstance(spec.definition_info.reads, kind)]


def _longest(spec: MetricSpec) -> int:
    """Return how many neighbours a spec reads, 0 for none."""
    return max(spec.neighbors_read(kind) for kind in get_args(Neighbours))


def _explained(scored: Scored, left_out: Sequence[str]) -> Scored:
    """Return a score; a reason for its absence names the rows that were left out."""
    if scored.value is not None or not left_out:
        return scored
    return replace(scored, reason="; ".join([scored.reason, *left_out]))
