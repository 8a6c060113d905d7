"""Scores by definitions that read whole arrays of the rows two embeddings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from matteralign.metrics.arrays.rows import SharedRows
from matteralign.metrics.base.card import Rows
from matteralign.metrics.base.inputs import BoolArray, LongArray
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.embedding.near_rows import Precision, merge_near
from matteralign.metrics.embedding.standard import first_of_both, row_codes
from matteralign.stats.blocks import block_of

_Group = tuple[BoolArray, list[tuple[str, str]]]


class ArrayPairs:
    """Scores of all pairs, worked out together for pairs with the same rows.

    Parameters
    ----------
    embeddings : mapping of str to Embedding
    pairs : sequence of (str, str)
    specs : sequence of MetricSpec
        Of definitions that read `Rows`.
    limits : sequence of int
        Leading rows that the scores of a sweep are taken among; the last is all of them.
    statistics : bool
        Add the null and the interval.
    resources : Resources
    """

    def __init__(
        self,
        embeddings: Mapping[str, Embedding],
        pairs: Sequence[tuple[str, str]],
        specs: Sequence[MetricSpec],
        *,
        limits: Sequence[int],
        statistics: bool,
        resources: Resources,
    ) -> None:
        self._embeddings, self._specs, self._limits = embeddings, specs, limits
        self._statistics = statistics
        self._resources = resources
        self._pairs = pairs
        self._groups: dict[bool, dict[tuple[str, str], _Group]] = {}
        self._codes: dict[str, LongArray] = {}
        self._precisions: dict[str, Precision] = {}
        self._done: dict[tuple[str, str, MetricSpec], Scored] = {}

    def score(self, a: str, b: str, spec: MetricSpec) -> tuple[Scored, Scored]:
        """Return the scores of (a, b) and (b, a)."""
        if (a, b, spec) not in self._done:
            self._run(*self._alike(spec)[a, b], spec)
        return self._done[a, b, spec], self._done[b, a, spec]

    def _alike(self, spec: MetricSpec) -> dict[tuple[str, str], _Group]:
        """Return the rows of every pair, and the pairs that are scored on the same ones."""
        reads = spec.definition_info.reads
        repeats = not (isinstance(reads, Rows) and reads.split)
        if repeats not in self._groups:
            groups: dict[bytes, _Group] = {}
            for pair in self._pairs:
                rows = self._rows(*pair, repeats=repeats)
                groups.setdefault(rows.tobytes(), (rows, []))[1].append(pair)
            self._groups[repeats] = {p: group for group in groups.values() for p in group[1]}
        return self._groups[repeats]

    def _rows(self, a: str, b: str, *, repeats: bool) -> BoolArray:
        """Return the rows that a pair is scored on.

        A row that repeats an earlier one in both embeddings would be both fitted and
        predicted where rows are split: there it is left out.
        """
        common = self._embeddings[a].shared_with(self._embeddings[b])
        if repeats:
            return common
        one, two = (self._code_of(name)[common] for name in (a, b))
        common[common] = first_of_both(one, two)
        return common

    def _code_of(self, name: str) -> LongArray:
        """Return a number per row, equal for rows that repeat each other to rounding."""
        if name not in self._codes:
            embedding = self._embeddings[name]
            x = embedding.compact()
            code = np.full(embedding.n, -1, np.int64)
            code[embedding.valid] = merge_near(x, row_codes(x), self._precision_of(name))
            self._codes[name] = code
        return self._codes[name]

    def _precision_of(self, name: str) -> Precision:
        if name not in self._precisions:
            self._precisions[name] = self._embeddings[name].precision
        return self._precisions[name]

    def _run(self, common: BoolArray, pairs: Sequence[tuple[str, str]], spec: MetricSpec) -> None:
        fewer = []
        for limit in self._limits[:-1]:
            leading = common & (np.arange(len(common)) < limit)
            fewer.append(self._scores(leading, pairs, spec, statistics=False))
        whole = self._scores(common, pairs, spec, statistics=self._statistics)
        for pair, scored in whole.items():
            swept = scored.swept(each[pair] for each in fewer) if fewer else scored
            self._done[*pair, spec] = swept

    def _scores(
        self,
        common: BoolArray,
        pairs: Sequence[tuple[str, str]],
        spec: MetricSpec,
        *,
        statistics: bool,
    ) -> dict[tuple[str, str], Scored]:
        """Return the scores of pairs on some rows, in both directions."""
        n = int(common.sum())
        if n < spec.definition_info.min_n:
            reason = f"{spec.metric} needs {spec.definition_info.min_n} rows that do not repeat "
            none = Scored.not_applicable(reason + f"an earlier one, there are {n}", n)
            return {way: none for a, b in pairs for way in ((a, b), (b, a))}
        names = list(dict.fromkeys(name for pair in pairs for name in pair))
        arrays = [self._embeddings[name].compact(common) for name in names]
        place = {name: i for i, name in enumerate(names)}
        one_way = [(place[a], place[b]) for a, b in pairs]
        symmetric = spec.definition_info.symmetric
        both = one_way if symmetric else one_way + [(b, a) for a, b in one_way]
        rows = SharedRows(
            arrays,
            names,
            both,
            statistics=statistics,
            resources=self._resources,
            # By their places among all rows, so that every pair leaves out the same.
            block=block_of(len(common))[common],
            precision_of=self._precision_of,
        )
        scores: list[Scored] = spec.definition_info.load()(spec, rows)
        found = {}
        for (i, j), scored in zip(both, scores, strict=True):
            found[names[i], names[j]] = scored
            if symmetric:
                found[names[j], names[i]] = scored
        return found
