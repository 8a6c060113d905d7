"""Information imbalance of all pairs: which edges, counted how, and what comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.inputs import BoolArray, IndexArray
from matteralign.metrics.base.resources import Resources
from matteralign.metrics.base.specs import Scored, interval_fields
from matteralign.metrics.embedding.embedding import Embedding, place_of
from matteralign.metrics.imbalance.exact import exact_ranks
from matteralign.metrics.imbalance.null import RankNulls
from matteralign.metrics.imbalance.strips import strip_ranks
from matteralign.metrics.tiles.rank_counts import RankRequest, RankSums, rank_bounds
from matteralign.stats.blocks import block_edges, block_of, sweep_blocks
from matteralign.stats.jackknife import evened, interval
from matteralign.stats.pairing import (
    PairingMoments,
    gamma_p,
    moments_of_edges,
    pairing_null,
    pairing_skewness,
)
from matteralign.stats.third import LEAST_ROWS_OF_THIRD, thirds_of_edges

COUNTED_EDGES = 128
"""Up to so many bounds per row are compared one by one in the pass; more are sorted."""

Lists = Mapping[tuple[int, int, int], IndexArray]
"""(source, target, limit) to neighbours of the source among the rows of both, (n, k or more)."""


@dataclass
class Imbalance:
    """Rank sums of all pairs for one k.

    Attributes
    ----------
    k : int
    embeddings : sequence of Embedding
    lists : Lists
    limits : sequence of int
        Leading rows the ranks are taken among; the last is all of them.
    nulls : RankNulls
        Of the embeddings.
    """

    k: int
    embeddings: Sequence[Embedding]
    lists: Lists
    limits: Sequence[int]
    nulls: RankNulls
    sums: dict[int, RankSums] = field(default_factory=dict)
    _edges: dict[tuple[int, bytes], PairingMoments] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.embeddings)
        for limit in self.limits:
            blocks = block_of(self._n)
            sums = RankSums.zeros(count, count, int(blocks.max()) + 1)
            self.sums[limit] = sums
            for (f, g, upto), near in self.lists.items():
                if upto == limit:
                    sums.count_edges(near[:limit, : self.k], f, g, blocks)

    @property
    def _n(self) -> int:
        return self.embeddings[0].n

    def edges_per_row(self, target: int) -> tuple[float, float]:
        """Return how many bounds of a target are held, and compared with, per row.

        Both count a bound among fewer rows by the share of them; a comparison happens once
        for every column as well.
        """
        shares = [upto / self._n for _, g, upto in self.lists if g == target]
        return self.k * math.fsum(shares), self.k * math.fsum(s * s for s in shares)

    def requests(
        self, target: int, *, bounds: npt.DTypeLike | None, only: int | None = None
    ) -> list[RankRequest]:
        """Return what is to be counted in one target.

        Parameters
        ----------
        bounds : dtype, optional
            Work out the bounds of the edges for tiles of this precision.
        only : int, optional
            One of the limits; default all.
        """
        embedding = self.embeddings[target]
        out = []
        for limit in self.limits if only is None else [only]:
            by_rows: dict[bytes, list[int]] = {}
            for f, g, upto in self.lists:
                if (g, upto) == (target, limit):
                    common = self.embeddings[f].shared_with(embedding)
                    by_rows.setdefault(common.tobytes(), []).append(f)
            for mask, sources in by_rows.items():
                common = np.frombuffer(mask, bool)
                near = np.hstack([self.lists[f, target, limit][:limit, : self.k] for f in sources])
                between: npt.NDArray[Any] = np.empty((limit, 0, 2))
                if bounds is not None:
                    between = rank_bounds(embedding, near, bounds)
                out.append(
                    RankRequest(
                        limit,
                        near,
                        between,
                        np.repeat(np.asarray(sources), self.k),
                        target,
                        self.sums[limit],
                        None if common.all() else common,
                    )
                )
        return out

    def score(self, f: int, g: int, *, statistics: bool) -> Scored:
        """Return Delta(f -> g), where the pair shares more than k rows."""
        common = self.embeddings[f].shared_with(self.embeddings[g])
        n = int(common.sum())
        sums = self.sums[self.limits[-1]]
        value = sums.imbalance(f, g, n)
        fields: dict[str, object] = {}
        if statistics:
            fields |= self._intervals(f, g, common, value)
            fields |= self._random(f, g, common, value)
        whole = Scored.ok(value, n, **fields)
        fewer = [
            Scored.ok(self.sums[limit].imbalance(f, g, inside), inside)
            for limit in self.limits[:-1]
            if (inside := int(common[:limit].sum())) > self.k
        ]
        return whole.swept(fewer) if len(self.limits) > 1 else whole

    def _intervals(self, f: int, g: int, common: BoolArray, value: float) -> dict[str, object]:
        sums = self.sums[self.limits[-1]]
        inside = np.bincount(block_of(self._n)[common], minlength=sums.edges_touching.shape[2])
        left = (int(common.sum()) - inside).tolist()
        # An edge is left out with the block of either end; the k edges of a row are alike.
        replicates = sums.replicates(f, g, left) if len(left) > 1 else []
        counted = 1.0 + 1.0 / self.k
        return {
            **interval_fields(interval(value, replicates, counted=counted)),
            "replicates": evened(replicates, counted),
        }

    def _random(self, f: int, g: int, common: BoolArray, value: float) -> dict[str, float]:
        n = int(common.sum())
        edges = self._moments_of(f, g, common)
        ranks = self.nulls.of(g, common)
        found = pairing_null(edges, ranks, n)
        if found is None:
            return {}
        # Every rank is as likely, their mean n / 2 with ties or without, and the imbalance 1.
        sd = 2.0 / n * found[1] / edges.total
        skewness = pairing_skewness(edges, ranks, n, found[1])
        return {
            "null_mean": 1.0,
            "null_sd": sd,
            "null_p": gamma_p(-value, -1.0, sd, -skewness),
        }

    def _moments_of(self, f: int, g: int, common: BoolArray) -> PairingMoments:
        """Return the pairing sums of the edges of a source, the same in every such target."""
        key = (f, common.tobytes())
        if key not in self._edges:
            near = self.lists[f, g, self.limits[-1]][:, : self.k]
            rows, places = np.nonzero(near >= 0)
            numbers, ones = place_of(common), np.ones(len(rows))
            edges = int(common.sum()), numbers[rows], numbers[near[rows, places]], ones
            third = thirds_of_edges(*edges) if edges[0] >= LEAST_ROWS_OF_THIRD else ()
            self._edges[key] = replace(moments_of_edges(*edges), third=third)
        return self._edges[key]


def count_apart(all_ks: Sequence[Imbalance], *, exact: bool, resources: Resources) -> None:
    """Count without the pass, every k together: exactly on the CPU, or in strips.

    The lists of all are those of the widest.
    """
    if not all_ks:
        return
    widest, *fewer = sorted(all_ks, key=lambda ranks: -ranks.k)
    for target, embedding in enumerate(widest.embeddings):
        asked = [
            replace(
                request, narrower=tuple((ranks.k, ranks.sums[request.limit]) for ranks in fewer)
            )
            for request in widest.requests(target, bounds=None)
        ]
        if exact:
            exact_ranks(embedding, asked, resources)
        elif asked:
            strip_ranks(embedding, asked, resources)


def limits_of(n: int, *, sweep: bool) -> list[int]:
    """Return the leading rows that scores are taken among; the last is all of them."""
    edges = block_edges(n)
    if not sweep:
        return [n]
    return [int(edges[count]) for count in sweep_blocks(len(edges) - 1)]


def fits_the_pass(
    n: int, edges_per_row: Sequence[tuple[float, float]], itemsize: int, memory_bytes: int
) -> bool:
    """Whether bounds are few enough to be held for all targets and compared one by one."""
    held = math.fsum(held for held, _ in edges_per_row)
    return (
        max((compared for _, compared in edges_per_row), default=0.0) <= COUNTED_EDGES
        and held * n * (2 * itemsize + 4) <= 3 * memory_bytes / 8
    )
