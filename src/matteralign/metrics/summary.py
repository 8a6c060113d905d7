"""Per-model work, done once: neighbour lists and intrinsic dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from matteralign.metrics.backend import Backend, open_backend
from matteralign.metrics.cautions import with_note
from matteralign.metrics.errors import MetricInputError, MetricSpecError
from matteralign.metrics.inputs import ArrayLike, IndexArray
from matteralign.metrics.intrinsic import neighbors_needed
from matteralign.metrics.intrinsic_scores import intrinsic_scores
from matteralign.metrics.local_pairs import kind_of
from matteralign.metrics.members import BoolArray, Member, RowSource, open_member
from matteralign.metrics.neighbors import (
    DEFAULT_MEMORY_BYTES,
    Neighbors,
    find_neighbors,
    slack,
)
from matteralign.metrics.scaling import NormalizeMode
from matteralign.metrics.specs import MetricSpec, Scored

_LISTED = ("cknna", "mutual_knn", "information_imbalance")


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
    x: ArrayLike | RowSource,
    *,
    k_neighbors: int,
    id_specs: Sequence[MetricSpec] = (),
    valid: BoolArray | None = None,
    normalize: NormalizeMode = "none",
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
    normalize : NormalizeMode
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
        As `as_matrix`, k_neighbors < 1, or a device that is not there.
    MetricSpecError
        A spec that is not an intrinsic dimension.
    """
    if k_neighbors < 1:
        raise MetricInputError(f"k_neighbors must be at least 1, got {k_neighbors}")
    for spec in id_specs:
        if spec.info.kind != "model":
            raise MetricSpecError(f"{spec} scores a pair; id_specs takes twonn and mle")
    lengths = _Lengths(k_neighbors + slack(k_neighbors), k_neighbors + slack(k_neighbors))
    run = _Run(memory_bytes, threads, statistics, sweep, open_backend(device), None)
    member = open_member(x, name, valid=valid, mode=normalize)
    found = run.find(member, lengths.with_dimensions(id_specs))
    return run.summary(member, found, id_specs)


def summarize_scalings(
    x: ArrayLike | RowSource,
    groups: Mapping[NormalizeMode, Sequence[MetricSpec]],
    *,
    valid: BoolArray | None = None,
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    threads: int = 1,
    statistics: bool = True,
    sweep: bool = False,
    device: str = "cpu",
    name: str = "x",
    progress: Callable[[float], None] | None = None,
) -> dict[NormalizeMode, Summary]:
    """Summarize one embedding under several scalings at the cost of one where possible.

    Parameters
    ----------
    groups : mapping of scaling to MetricSpecs
        Metrics of pairs and of models that will be asked for under each scaling: they say
        which lists are needed, and how long. ``none`` and ``max`` have the same neighbours;
        inner products of unit rows come from the same tiles.

    Others and errors as `summarize`.
    """
    run = _Run(memory_bytes, threads, statistics, sweep, open_backend(device), progress)
    lengths = {mode: _lengths(specs) for mode, specs in groups.items()}
    plain = [mode for mode in groups if mode in ("none", "max")]
    shared = bool(plain) and "l2" in groups and lengths["l2"].euclid == 0
    out: dict[NormalizeMode, Summary] = {}
    base: Neighbors | None = None
    for mode, specs in groups.items():
        dimensions = [spec for spec in specs if spec.info.kind == "model"]
        member = open_member(x, name, valid=valid, mode=mode)
        if mode not in plain and not (mode == "l2" and shared):
            found = run.find(member, lengths[mode])
        else:
            if base is None:
                longest = _Lengths(
                    max((lengths[m].euclid for m in plain), default=0),
                    max((lengths[m].inner for m in plain), default=0),
                    lengths["l2"].inner if shared else 0,
                )
                rows = member if mode != "l2" else open_member(x, name, valid=valid)
                base, unit = run.find(rows, longest), rows.unit
            found = _unit_rows(base) if mode == "l2" else _in_unit(base, member.unit / unit)
        out[mode] = run.summary(member, found, dimensions)
    return out


@dataclass(frozen=True)
class _Lengths:
    """How many neighbours of each kind to find."""

    euclid: int
    inner: int
    cosine: int = 0

    def with_dimensions(self, specs: Sequence[MetricSpec]) -> _Lengths:
        needed = [neighbors_needed(spec) for spec in specs]
        return replace(self, euclid=max([self.euclid, *(k + slack(k) for k in needed)]))


def _lengths(specs: Sequence[MetricSpec]) -> _Lengths:
    ks: dict[str, int] = {"euclid": 0, "inner": 0}
    for spec in specs:
        if spec.metric in _LISTED:
            kind = "euclid" if spec.metric == "information_imbalance" else kind_of(spec)
            k = spec.integer("k")
            ks[kind] = max(ks[kind], k + slack(k))
    dimensions = [spec for spec in specs if spec.info.kind == "model"]
    return _Lengths(ks["euclid"], ks["inner"]).with_dimensions(dimensions)


@dataclass(frozen=True)
class _Run:
    memory_bytes: int
    threads: int
    statistics: bool
    sweep: bool
    backend: Backend
    progress: Callable[[float], None] | None

    def find(self, member: Member, lengths: _Lengths) -> Neighbors:
        return find_neighbors(
            member,
            euclid=lengths.euclid,
            inner=lengths.inner,
            cosine=lengths.cosine,
            sweep=self.sweep,
            backend=self.backend,
            memory_bytes=self.memory_bytes,
            threads=self.threads,
            progress=self.progress,
        )

    def summary(self, member: Member, neighbors: Neighbors, specs: Sequence[MetricSpec]) -> Summary:
        duplicates, scored = intrinsic_scores(member, neighbors, specs, statistics=self.statistics)
        pairs = tuple((s, with_note(s, found)) for s, found in zip(specs, scored, strict=True))
        return Summary(int(member.valid.sum()), member.refused, duplicates, neighbors, pairs)


def _unit_rows(base: Neighbors) -> Neighbors:
    """Return the lists of rows scaled to unit length: their inner products are cosines."""
    none: IndexArray = np.empty((base.n, 0), np.int32)
    return Neighbors(
        none,
        np.empty((base.n, 0)),
        base.cosine_index,
        base.cosine_index,
        tuple((limit, _unit_rows(near)) for limit, near in base.leading),
        base.effort,
    )


def _in_unit(base: Neighbors, ratio: float) -> Neighbors:
    """Return the lists with distances in other units."""
    if ratio == 1.0:
        return base
    return replace(
        base,
        euclid_distance=base.euclid_distance * ratio,
        leading=tuple((limit, _in_unit(near, ratio)) for limit, near in base.leading),
    )
