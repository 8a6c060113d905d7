"""All requested scores of all requested pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matteralign.core.suggest import unknown
from matteralign.metrics.blocks import DEFAULT_MEMORY_BYTES
from matteralign.metrics.errors import MetricInputError, MetricSpecError, NotApplicable
from matteralign.metrics.global_scores import cka_score, dcor_score, imbalance_score
from matteralign.metrics.inputs import (
    ArrayLike,
    FloatArray,
    as_matrix,
    is_constant,
    pow2_scaled,
    require_neighbors,
    require_rows,
    require_same_rows,
    require_varying,
)
from matteralign.metrics.local_scores import LocalKernel, cknna_huh2024, cknna_text, local_kernel
from matteralign.metrics.neighbors import Neighbors, inner_product_neighbors
from matteralign.metrics.specs import MetricSpec, PairScore, Scored
from matteralign.metrics.streaming import GlobalSums, stream


def compare(
    members: Mapping[str, ArrayLike],
    pairs: Sequence[tuple[str, str]],
    specs: Sequence[MetricSpec],
    *,
    neighbors: Mapping[str, Neighbors] | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
) -> Iterator[PairScore]:
    """Score pairs of embeddings of the same rows.

    Arguments are checked on the call; scores come pair by pair as the result is iterated.

    Parameters
    ----------
    members : mapping of str to array_like or torch.Tensor, shapes (n, d_m)
        Every embedding by name; all with the same n rows, none masked.
    pairs : sequence of (str, str)
        Names of two different members; (a, b) and (b, a) are the same pair, scored once.
    specs : sequence of MetricSpec
        Pair metrics.
    neighbors : mapping of str to Neighbors, optional
        From `summarize` on the same arrays. Missing or too short ones are computed.
    memory_bytes : int
        Bound on the working blocks; float64 copies of the members come on top.
    threads : int
        Members handled at the same time.

    Returns
    -------
    iterator of PairScore
        For every pair (a, b) and spec first a->b, then b->a. Symmetric definitions are
        computed once and repeated. A pair that cannot be scored has status
        ``not_applicable`` and a reason.

    Raises
    ------
    MetricInputError
        An array refused by `as_matrix`, different numbers of rows, neighbours of another
        n, an unknown or repeated name in a pair.
    MetricSpecError
        A spec that is not a pair metric.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    for a, b in pairs:
        for name in (a, b):
            if name not in members:
                raise MetricInputError(unknown("member", name, members))
        if a == b:
            raise MetricInputError(f"pair ({a!r}, {b!r}) compares a member with itself")
    for spec in specs:
        if spec.info.kind != "pair":
            raise MetricSpecError(f"{spec} scores one embedding; use summarize")
    arrays = {name: as_matrix(members[name], name) for name in names}
    for name in names[1:]:
        require_same_rows(len(arrays[names[0]]), len(arrays[name]), names[0], name)
    given = neighbors or {}
    for name in names:
        if name in given:
            given[name].check(name, len(arrays[name]))
    engine = _Engine(arrays, specs, given, memory_bytes, threads)
    unordered = {frozenset(pair): pair for pair in reversed(pairs)}
    ordered = [pair for pair in dict.fromkeys(pairs) if unordered[frozenset(pair)] == pair]
    return _scores(engine, ordered, list(dict.fromkeys(specs)))


def _scores(
    engine: _Engine, pairs: Sequence[tuple[str, str]], specs: Sequence[MetricSpec]
) -> Iterator[PairScore]:
    for a, b in pairs:
        for spec in specs:
            forward, backward = engine.score(a, b, spec)
            yield PairScore(a, b, spec, forward)
            yield PairScore(b, a, spec, backward)


class _Engine:
    """Per-model work shared by the pairs, made when the first pair asks for it."""

    def __init__(
        self,
        arrays: Mapping[str, FloatArray],
        specs: Sequence[MetricSpec],
        neighbors: Mapping[str, Neighbors],
        memory_bytes: int,
        threads: int,
    ) -> None:
        self._arrays = arrays
        self._specs = specs
        self._neighbors = dict(neighbors)
        self._memory = memory_bytes
        self._threads = threads
        self._n = len(next(iter(arrays.values()))) if arrays else 0
        self._constant = {name: is_constant(x) for name, x in arrays.items()}
        # A constant member has no score and would only widen the pass.
        self._place = {name: i for i, name in enumerate(n for n in arrays if not self._constant[n])}
        self._sums: GlobalSums | None = None
        self._kernels: dict[tuple[str, int], LocalKernel] = {}

    def score(self, a: str, b: str, spec: MetricSpec) -> tuple[Scored, Scored]:
        try:
            require_rows(self._n, spec.definition_info.min_n, spec.metric)
            for name in (a, b):
                if self._constant[name]:
                    require_varying(self._arrays[name], name)
            return self._applicable(a, b, spec)
        except NotApplicable as reason:
            none = Scored.not_applicable(str(reason), self._n)
            return none, none

    def _applicable(self, a: str, b: str, spec: MetricSpec) -> tuple[Scored, Scored]:
        n = self._n
        if spec.metric == "cknna":
            k = spec.integer("k")
            require_neighbors(n, k)
            kernels = self._kernel(a, k), self._kernel(b, k)
            if spec.definition == "huh2024":
                forward, backward = cknna_huh2024(*kernels)
                return Scored.ok(forward, n), Scored.ok(backward, n)
            both = Scored.ok(cknna_text(*kernels), n)
            return both, both
        i, j = self._place[a], self._place[b]
        if spec.metric == "information_imbalance":
            k = spec.integer("k")
            require_neighbors(n, k)
            sums = self._global_sums()
            return (
                Scored.ok(imbalance_score(sums, i, j, k, n), n),
                Scored.ok(imbalance_score(sums, j, i, k, n), n),
            )
        if spec.metric == "dcor":
            value, debiased = dcor_score(self._global_sums(), i, j, spec.definition)
        else:
            value, debiased = cka_score(self._global_sums(), i, j)
        both = Scored.ok(value, n, debiased=debiased)
        return both, both

    def _global_sums(self) -> GlobalSums:
        if self._sums is None:
            metrics = {spec.metric for spec in self._specs}
            rank_ks = {
                spec.integer("k")
                for spec in self._specs
                if spec.metric == "information_imbalance" and spec.integer("k") < self._n
            }
            self._sums = stream(
                [pow2_scaled(self._arrays[name]) for name in self._place],
                distances="dcor" in metrics,
                kernels="cka" in metrics,
                rank_ks=rank_ks,
                memory_bytes=self._memory,
                threads=self._threads,
            )
        return self._sums

    def _kernel(self, name: str, k: int) -> LocalKernel:
        if (name, k) not in self._kernels:
            x = self._arrays[name]
            known = self._neighbors.get(name)
            if known is not None and known.k >= k:
                index = known.inner_index
            else:
                index = inner_product_neighbors(pow2_scaled(x), k, memory_bytes=self._memory)
            self._kernels[name, k] = local_kernel(x, index, k)
        return self._kernels[name, k]
