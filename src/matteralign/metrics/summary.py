"""Per-model work, done once: neighbour lists and intrinsic dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from matteralign.core.scaling import Scaling
from matteralign.metrics.base.cautions import with_note
from matteralign.metrics.base.errors import MetricInputError, MetricSpecError
from matteralign.metrics.base.inputs import ArrayLike, BoolArray
from matteralign.metrics.base.registry import METRICS
from matteralign.metrics.base.resources import DEFAULT_MEMORY_BYTES, Progress, Resources
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.dimension.scores import intrinsic_scores
from matteralign.metrics.embedding.embedding import Embedding, RowSource, open_embedding
from matteralign.metrics.embedding.scaling import BY_ROWS
from matteralign.metrics.tiles.backend import open_backend
from matteralign.metrics.tiles.neighbors import (
    Neighbors,
    find_neighbors,
    find_scaled,
    list_length,
)


@dataclass(frozen=True)
class Summary:
    """What is computed once per model.

    Attributes
    ----------
    n : int
        Valid rows of the embedding.
    unscaled : int
        Rows left out because the scaling cannot be applied to them.
    duplicates : int
        Rows that repeat an earlier row, exactly or but for rounding; intrinsic dimensions
        leave them out.
    neighbors : Neighbors
        Lists over all rows, as long as was asked for and the slack that deleting rows needs.
    intrinsic : tuple of (MetricSpec, Scored)
        In the order of the specs; ``n`` of each counts the distinct rows.
    """

    n: int
    unscaled: int
    duplicates: int
    neighbors: Neighbors
    intrinsic: tuple[tuple[MetricSpec, Scored], ...]


def summarize(
    x: Annotated[ArrayLike | RowSource, "n d"],
    *,
    k_neighbors: int,
    id_specs: Sequence[MetricSpec] = (),
    valid: Annotated[BoolArray, "n"] | None = None,
    normalize: Scaling = "none",
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    statistics: bool = True,
    sweep: bool = False,
    device: str = "cpu",
    name: str = "x",
) -> Summary:
    """Compute neighbour lists and intrinsic dimensions of one embedding.

    Parameters
    ----------
    x : array_like, torch.Tensor or RowSource, shape (n, d)
    k_neighbors : int
        Neighbours that metrics of pairs are to read, by distance and by inner product.
    id_specs : sequence of MetricSpec
        Of metrics ``twonn`` and ``mle``.
    valid : ndarray of bool, shape (n,), optional
        Rows to use.
    normalize : Scaling
        Scaling, see `normalize`; rows that it cannot be applied to are left out.
    memory_bytes : int
        Bound on what is held beside the embedding and the lists.
    threads : int
    statistics : bool
        Add intervals to the dimensions.
    sweep : bool
        Find the lists on leading rows too, and add the dimensions there.
    device : str
        Where the neighbours are searched, see `compare`; the lists are the same on all.
    name : str
        What to call the embedding in messages.

    Returns
    -------
    Summary
        A spec that has no value here (constant embedding, k >= distinct rows, ...) is
        present with status ``not_applicable`` and the reason.

    Raises
    ------
    MetricInputError
        As `as_matrix`, k_neighbors, memory or threads below 1, or a device that is not there.
    MetricSpecError
        A spec that is not an intrinsic dimension.
    """
    if k_neighbors < 1:
        raise MetricInputError(f"k_neighbors must be at least 1, got {k_neighbors}")
    for spec in id_specs:
        if spec.info.kind != "model":
            known = " and ".join(info.name for info in METRICS.values() if info.kind == "model")
            raise MetricSpecError(f"{spec} scores a pair; id_specs takes {known}")
    longest = list_length(k_neighbors)
    lengths = _Lengths(longest, longest).longest(_Lengths.of(id_specs))
    resources = Resources(memory_bytes, threads, open_backend(device))
    run = _Run(resources, statistics, sweep)
    embedding = open_embedding(x, name, valid=valid, mode=normalize)
    found = run.find(embedding, lengths)
    return run.summary(embedding, found, id_specs)


def summarize_scalings(
    x: Annotated[ArrayLike | RowSource, "n d"],
    groups: Mapping[Scaling, Sequence[MetricSpec]],
    *,
    valid: Annotated[BoolArray, "n"] | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    statistics: bool = True,
    sweep: bool = False,
    device: str = "cpu",
    name: str = "x",
    progress: Progress | None = None,
) -> dict[Scaling, Summary]:
    """Summarize one embedding under several scalings at the cost of one where possible.

    Parameters
    ----------
    groups : mapping of scaling to MetricSpecs
        Metrics of pairs and of models that will be asked for under each scaling: they say
        which lists are needed, and how long. ``none`` and ``max`` have the same neighbours;
        one product of rows serves all scalings that divide each row by one number and leave
        out no row.

    Others and errors as `summarize`.
    """
    resources = Resources(memory_bytes, threads, open_backend(device), progress)
    run = _Run(resources, statistics, sweep)
    embeddings = {mode: open_embedding(x, name, valid=valid, mode=mode) for mode in groups}
    lengths = {mode: _Lengths.of(specs) for mode, specs in groups.items()}
    found = run.find_all(
        embeddings, lengths, partial(open_embedding, x, name, valid=valid, mode="l2")
    )
    return {
        mode: run.summary(
            embeddings[mode], found[mode], [spec for spec in specs if spec.info.kind == "model"]
        )
        for mode, specs in groups.items()
    }


@dataclass(frozen=True)
class _Lengths:
    """How many neighbours of each kind to find."""

    euclid: int
    inner: int

    def longest(self, other: _Lengths) -> _Lengths:
        return _Lengths(max(self.euclid, other.euclid), max(self.inner, other.inner))

    @classmethod
    def of(cls, specs: Sequence[MetricSpec]) -> _Lengths:
        """Return the lengths that metrics read, with the slack that deleting rows needs."""
        euclid = max((spec.neighbors_read("euclid") for spec in specs), default=0)
        inner = max((spec.neighbors_read("inner") for spec in specs), default=0)
        return cls(list_length(euclid), list_length(inner))


@dataclass(frozen=True)
class _Run:
    resources: Resources
    statistics: bool
    sweep: bool

    def find(self, embedding: Embedding, lengths: _Lengths) -> Neighbors:
        return find_neighbors(
            embedding,
            euclid=lengths.euclid,
            inner=lengths.inner,
            sweep=self.sweep,
            resources=self.resources,
        )

    def find_all(
        self,
        embeddings: Mapping[Scaling, Embedding],
        lengths: Mapping[Scaling, _Lengths],
        open_unit: Callable[[], Embedding],
    ) -> dict[Scaling, Neighbors]:
        """Find the lists of one embedding under every scaling, of as many together as can be."""
        first, needed = dict[Scaling, Scaling](), dict[Scaling, _Lengths]()
        for mode in embeddings:
            # Divided by one number or not, an array has the same neighbours.
            first[mode] = next(m for m in embeddings if m == mode or {m, mode} == {"none", "max"})
            needed[first[mode]] = lengths[mode].longest(needed.get(first[mode], lengths[mode]))
        together = [mode for mode in needed if mode in BY_ROWS and not embeddings[mode].refused]
        found: dict[Scaling, Neighbors] = {}
        if len(together) > 1:
            unit = embeddings["l2"] if "l2" in embeddings else open_unit()
            lists = find_scaled(
                unit,
                [embeddings[mode] for mode in together],
                [(needed[mode].euclid, needed[mode].inner) for mode in together],
                sweep=self.sweep,
                resources=self.resources,
            )
            found = dict(zip(together, lists, strict=True))
        for mode in needed:
            if mode not in found:
                found[mode] = self.find(embeddings[mode], needed[mode])
        return {
            mode: _in_unit(found[first[mode]], embeddings[mode].unit / embeddings[first[mode]].unit)
            for mode in embeddings
        }

    def summary(
        self, embedding: Embedding, neighbors: Neighbors, specs: Sequence[MetricSpec]
    ) -> Summary:
        duplicates, scored = intrinsic_scores(
            embedding, neighbors, specs, statistics=self.statistics
        )
        pairs = tuple((s, with_note(s, found)) for s, found in zip(specs, scored, strict=True))
        return Summary(int(embedding.valid.sum()), embedding.refused, duplicates, neighbors, pairs)


def _in_unit(base: Neighbors, ratio: float) -> Neighbors:
    """Return the lists with distances in other units."""
    if ratio == 1.0:
        return base
    return replace(
        base,
        euclid_distance=base.euclid_distance * ratio,
        leading=tuple((limit, _in_unit(near, ratio)) for limit, near in base.leading),
    )
