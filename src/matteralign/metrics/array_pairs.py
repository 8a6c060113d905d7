"""Metrics that work on whole arrays of the rows two members share: IdCor, GFRE, LFRE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from matteralign.metrics.errors import NotApplicable
from matteralign.metrics.idcor import IdCor, idcor_all
from matteralign.metrics.inputs import FloatArray
from matteralign.metrics.members import BoolArray, Member
from matteralign.metrics.reconstruction import Reconstruction, gfre_all, lfre_all
from matteralign.metrics.specs import MetricSpec, Scored

METRICS = ("idcor", "gfre", "lfre")

_FIELDS = ("null_mean", "null_sd", "null_p", "ci_low", "ci_high")


class ArrayPairs:
    """Scores of all pairs, worked out together for pairs with the same common rows.

    Parameters
    ----------
    members : mapping of str to Member
    pairs : sequence of (str, str)
    specs : sequence of MetricSpec
        Of the metrics of this module.
    statistics : bool
        Compute intervals too.
    memory_bytes, threads : int
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        pairs: Sequence[tuple[str, str]],
        specs: Sequence[MetricSpec],
        *,
        statistics: bool,
        memory_bytes: int,
        threads: int,
    ) -> None:
        self._members, self._specs = members, specs
        self._statistics = statistics
        self._memory, self._threads = memory_bytes, threads
        self._groups: dict[bytes, list[tuple[str, str]]] = {}
        for a, b in pairs:
            self._groups.setdefault(self._common(a, b).tobytes(), []).append((a, b))
        self._done: dict[tuple[str, str, MetricSpec], Scored] = {}

    def score(self, a: str, b: str, spec: MetricSpec) -> tuple[Scored, Scored]:
        """Return the scores of (a, b) and (b, a)."""
        if (a, b, spec) not in self._done:
            self._run(self._common(a, b), spec)
        return self._done[a, b, spec], self._done[b, a, spec]

    def _common(self, a: str, b: str) -> BoolArray:
        return self._members[a].shared_with(self._members[b])

    def _run(self, common: BoolArray, spec: MetricSpec) -> None:
        pairs = self._groups[common.tobytes()]
        names = list(dict.fromkeys(name for pair in pairs for name in pair))
        arrays = [self._members[name].compact(common) for name in names]
        if spec.metric != "idcor":
            # Solved as they are: regressions are done in float64.
            arrays = [x.astype(np.float64, copy=False) for x in arrays]
        place = {name: i for i, name in enumerate(names)}
        one_way = [(place[a], place[b]) for a, b in pairs]
        both = one_way if spec.definition_info.symmetric else one_way + [(b, a) for a, b in one_way]
        outcomes = self._compute(spec, arrays, both, names)
        n = int(common.sum())
        for (i, j), outcome in zip(both, outcomes, strict=True):
            scored = _scored(outcome, n)
            self._done[names[i], names[j], spec] = scored
            if spec.definition_info.symmetric:
                self._done[names[j], names[i], spec] = scored

    def _compute(
        self,
        spec: MetricSpec,
        arrays: list[FloatArray],
        pairs: list[tuple[int, int]],
        names: list[str],
    ) -> Sequence[IdCor | Reconstruction | NotApplicable]:
        options: dict[str, Any] = {"threads": self._threads, "names": names}
        seed = spec.integer("seed")
        if spec.metric == "idcor":
            return idcor_all(
                arrays,
                pairs,
                fraction=float(spec.params["fraction"]),
                permutations=spec.integer("permutations"),
                seed=seed,
                memory_bytes=self._memory,
                intervals=self._statistics,
                **options,
            )
        if spec.metric == "gfre":
            return gfre_all(arrays, pairs, seed=seed, **options)
        k = spec.integer("k")
        found = lfre_all(arrays, pairs, [k], seed=seed, memory_bytes=self._memory, **options)
        return [each[k] for each in found]


def _scored(outcome: IdCor | Reconstruction | NotApplicable, n: int) -> Scored:
    if isinstance(outcome, NotApplicable):
        return Scored.not_applicable(str(outcome), n)
    fields = {name: getattr(outcome, name, None) for name in _FIELDS}
    return Scored.ok(outcome.value, outcome.n, **fields)
