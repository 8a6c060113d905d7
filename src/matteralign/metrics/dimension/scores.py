"""Intrinsic dimensions of one embedding from its neighbour lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from matteralign.metrics.base.inputs import BoolArray, FloatArray, IndexArray
from matteralign.metrics.base.specs import MetricSpec, Scored
from matteralign.metrics.dimension.estimators import estimates
from matteralign.metrics.embedding.embedding import Embedding, place_of
from matteralign.metrics.embedding.exact_loops import EUCLID
from matteralign.metrics.embedding.near_rows import merge_near
from matteralign.metrics.embedding.standard import first_of_codes, row_codes
from matteralign.metrics.embedding.ties import tie_labels
from matteralign.metrics.local.lists import refill, restrict
from matteralign.metrics.tiles.neighbors import Neighbors, list_length


def intrinsic_scores(
    embedding: Embedding, neighbors: Neighbors, specs: Sequence[MetricSpec], *, statistics: bool
) -> tuple[int, list[Scored]]:
    """Return how many rows repeat an earlier one to rounding, and every dimension asked for.

    Parameters
    ----------
    embedding : Embedding
    neighbors : Neighbors
        Of the embedding, by distance; rows whose lists lose too much with the duplicates are
        searched again.
    specs : sequence of MetricSpec
        Of metrics ``twonn`` and ``mle``.
    statistics : bool
        Add intervals.
    """
    x = embedding.compact()
    distinct = np.zeros(embedding.n, bool)
    if len(x):
        code = merge_near(x, row_codes(x), embedding.precision)
        distinct[np.flatnonzero(embedding.valid)] = first_of_codes(code)
    count = int(distinct.sum())
    duplicates = len(x) - count
    if not specs:
        return duplicates, []
    if embedding.constant:
        reason = embedding.refusal if not len(x) else embedding.why_constant
        return duplicates, [Scored.not_applicable(reason, count) for _ in specs]
    longest = max(spec.neighbors_read("euclid") for spec in specs)
    index, distance = neighbors.euclid_index, neighbors.euclid_distance
    if duplicates:
        index, distance = _among(embedding, neighbors, distinct, list_length(longest))
    near = None
    if statistics:
        # An entry of -1 reads the sentinel behind the last row.
        near = np.append(place_of(distinct), np.int32(-1))[index[distinct]]
    found = estimates(specs, distance[distinct], near)
    if duplicates:
        left = f"{duplicates} of {len(x)} rows left out: they repeat an earlier one to rounding"
        found = [
            replace(s, note="; ".join(filter(None, (left, s.note)))) if s.value is not None else s
            for s in found
        ]
    return duplicates, found


def _among(
    embedding: Embedding, neighbors: Neighbors, distinct: BoolArray, k: int
) -> tuple[IndexArray, FloatArray]:
    """Return the lists among distinct rows alone."""
    part = restrict(neighbors.euclid_index, distinct, k)
    taken = np.take_along_axis(neighbors.euclid_distance, np.maximum(part.place, 0), axis=1)
    distance = np.where(part.place >= 0, taken, np.inf)
    if len(part.short):
        kept = distinct[embedding.valid]
        scores = refill(part, EUCLID, embedding.compact()[kept], tie_labels(embedding)[kept])
        distance[part.short] = np.inf
        distance[part.short, : scores.shape[1]] = np.sqrt(scores) * embedding.unit
    return part.index, distance
