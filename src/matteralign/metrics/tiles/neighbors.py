"""Lists of nearest rows, one set per embedding, exact and longer than a metric needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from matteralign.metrics.base.errors import MetricInputError
from matteralign.metrics.base.inputs import BoolArray, FloatArray, IndexArray
from matteralign.metrics.base.resources import DEFAULTS, Resources
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.embedding.exact_loops import EUCLID, INNER
from matteralign.metrics.embedding.ties import tie_labels
from matteralign.metrics.tiles.search import Asked, Effort, Found, search
from matteralign.stats.blocks import BLOCKS, block_edges, sweep_blocks

DOUBLE_ROWS = 4096
"""Up to so many rows tiles are made in double precision unless asked otherwise."""


def slack(k: int, blocks: int = BLOCKS) -> int:
    """Return how many neighbours beyond k a list holds.

    Without one of `blocks` random blocks of rows, a list so long keeps k entries in all but
    about one row in 10,000.
    """
    share = (k + 8) / blocks
    return math.ceil(share + 4.0 * math.sqrt(share))


def list_length(k: int) -> int:
    """Return how long a list is of which k neighbours are read: k and its slack, 0 for none."""
    return k + slack(k) if k else 0


@dataclass(frozen=True)
class Neighbors:
    """Neighbour lists of one embedding, nearest first, each row without itself.

    Rows are those of the sample set; a masked row holds -1 throughout and is in no list.
    Kinds that were not asked for have no columns.

    Attributes
    ----------
    euclid_index : ndarray of int32, shape (n, k)
    euclid_distance : ndarray of float64, shape (n, k)
        In the units of the scaled embedding; infinite where there is no neighbour.
    inner_index : ndarray of int32, shape (n, k)
        Largest inner products of the rows as given, not centred.
    leading : tuple of (int, Neighbors)
        The lists among the first so many rows alone, where a sweep was asked for.
    effort : Effort
        How many lists the first search proved complete, and how many took another.
    """

    euclid_index: IndexArray
    euclid_distance: FloatArray
    inner_index: IndexArray
    leading: tuple[tuple[int, Neighbors], ...] = ()
    effort: Effort = field(default_factory=Effort, compare=False)

    @property
    def n(self) -> int:
        """Rows of the sample set."""
        return int(self.euclid_index.shape[0])

    def check(self, name: str, n: int) -> None:
        """Raise MetricInputError unless the lists can belong to an embedding of `n` rows."""
        if self.euclid_distance.shape != self.euclid_index.shape:
            raise MetricInputError(
                f"neighbours of {name} have {self.euclid_index.shape} indices and "
                f"{self.euclid_distance.shape} distances; equal shapes are needed"
            )
        kinds = {
            "euclid": self.euclid_index,
            "inner": self.inner_index,
        }
        for kind, index in kinds.items():
            if index.ndim != 2 or len(index) != n:
                raise MetricInputError(
                    f"neighbours of {name} cover {len(index)} rows, its embedding has {n}: "
                    "they belong to another sample set"
                )
            if index.size and not (index.min() >= -1 and index.max() < n):
                raise MetricInputError(f"{kind} neighbours of {name} point outside its {n} rows")


def find_neighbors(
    embedding: Embedding,
    *,
    euclid: int = 0,
    inner: int = 0,
    sweep: bool = False,
    double: bool | None = None,
    resources: Resources = DEFAULTS,
) -> Neighbors:
    """Find the neighbours of every valid row of an embedding, all kinds in one pass.

    Parameters
    ----------
    embedding : Embedding
    euclid, inner : int
        Neighbours of each kind; capped at the number of other valid rows.
    sweep : bool
        Find them among the leading halves, quarters, ... as well.
    double : bool, optional
        Make the tiles in double precision; by default where there are few rows. The lists
        are the same.
    resources : Resources
        See `search`; the lists are the same on every backend.
    """
    lengths = {EUCLID: euclid, INNER: inner}
    return _find(embedding, lengths, [], sweep=sweep, double=double, resources=resources)[0]


def find_scaled(
    unit: Embedding,
    embeddings: Sequence[Embedding],
    lengths: Sequence[tuple[int, int]],
    *,
    sweep: bool = False,
    double: bool | None = None,
    resources: Resources = DEFAULTS,
) -> list[Neighbors]:
    """Find the neighbours of one embedding under several scalings from one product of rows.

    Parameters
    ----------
    unit : Embedding
        The embedding with its rows scaled to unit length (``l2``).
    embeddings : sequence of Embedding
        It under scalings that divide each row by one number, all with the valid rows of `unit`.
    lengths : sequence of (int, int)
        For each embedding how many neighbours by distance and by inner product.
    sweep, double, resources
        As `find_neighbors`, which finds the same lists.
    """
    own, others = {}, []
    for embedding, (euclid, inner) in zip(embeddings, lengths, strict=True):
        wanted = {EUCLID: euclid, INNER: inner}
        if embedding.mode == unit.mode:
            own = wanted
        else:
            others.append((embedding, wanted))
    first, *rest = _find(unit, own, others, sweep=sweep, double=double, resources=resources)
    left = iter(rest)
    return [first if embedding.mode == unit.mode else next(left) for embedding in embeddings]


def _find(
    embedding: Embedding,
    own: Mapping[int, int],
    others: Sequence[tuple[Embedding, Mapping[int, int]]],
    *,
    sweep: bool,
    double: bool | None,
    resources: Resources,
) -> list[Neighbors]:
    """Find lists of an embedding, and of others with its rows at other lengths."""
    rows = np.flatnonzero(embedding.valid).astype(np.int32)
    counts = np.concatenate([[0], np.cumsum(embedding.valid)])
    edges = counts[block_edges(embedding.n)].tolist()
    cuts = [int(block_edges(embedding.n)[b]) for b in sweep_blocks(len(edges) - 1)[:-1]]
    limits = {limit: int(counts[limit]) for limit in (cuts if sweep else [])}
    if double is None:
        double = len(rows) <= DOUBLE_ROWS

    def asked(one: Embedding, lengths: Mapping[int, int]) -> Asked:
        capped = {kind: min(k, len(rows) - 1) for kind, k in lengths.items()}
        return Asked(one.compact, one.mean, {kind: k for kind, k in capped.items() if k > 0})

    base, further = asked(embedding, own), [asked(*other) for other in others]
    found: list[tuple[dict[int, list[Found]], Effort]] = [({}, Effort()) for _ in (base, *further)]
    if any(one.wanted for one in (base, *further)):
        found = search(
            base,
            tie_labels(embedding),
            further,
            length=embedding.factor,
            edges=_distinct(edges),
            limits=[count for count in limits.values() if 0 < count < len(rows)],
            dtype=np.float64 if double else np.float32,
            resources=resources,
        )
    out = []
    for one, (lists, effort) in zip((embedding, *(m for m, _ in others)), found, strict=True):
        place = _Placing(rows, embedding.valid, one.unit)
        result = place.at(lists, -1)
        # Masked rows may leave a leading sample nothing, or everything.
        number = {entry.limit: i for i, entry in enumerate(next(iter(lists.values()), []))}
        leading = [
            (limit, place.at(lists, number.get(count, -1)) if count else place.nothing(result))
            for limit, count in limits.items()
        ]
        out.append(replace(result, leading=tuple(leading), effort=effort))
    return out


@dataclass(frozen=True)
class _Placing:
    """Turns lists over valid rows into lists over the sample set."""

    rows: IndexArray
    valid: BoolArray
    unit: float

    def at(self, found: dict[int, list[Found]], number: int) -> Neighbors:
        index = {kind: self._spread(found.get(kind), number) for kind in (EUCLID, INNER)}
        distance = np.full(index[EUCLID].shape, np.inf)
        if EUCLID in found:
            entry = found[EUCLID][number]
            distance[self.rows[: entry.limit]] = np.sqrt(entry.score) * self.unit
        return Neighbors(index[EUCLID], distance, index[INNER])

    def nothing(self, like: Neighbors) -> Neighbors:
        """Return lists of the same lengths that hold no neighbour."""
        euclid, inner = (np.full_like(x, -1) for x in (like.euclid_index, like.inner_index))
        return Neighbors(euclid, np.full(euclid.shape, np.inf), inner)

    def _spread(self, lists: Sequence[Found] | None, number: int) -> IndexArray:
        if lists is None:
            return np.empty((len(self.valid), 0), np.int32)
        entry = lists[number]
        out = np.full((len(self.valid), entry.index.shape[1]), -1, np.int32)
        # A place of -1 stays -1: it reads the sentinel behind the last row.
        rows = np.append(self.rows, np.int32(-1))
        out[self.rows[: entry.limit]] = rows[entry.index]
        return out


def _distinct(edges: Sequence[int]) -> list[int]:
    """Drop borders of blocks that hold no valid row."""
    return sorted(set(edges))
