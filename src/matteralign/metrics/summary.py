"""Per-model work, done once: neighbour lists and intrinsic dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matteralign.metrics.blocks import DEFAULT_MEMORY_BYTES
from matteralign.metrics.errors import MetricInputError, MetricSpecError, NotApplicable
from matteralign.metrics.inputs import (
    ArrayLike,
    FloatArray,
    as_matrix,
    constant_reason,
    is_constant,
    pow2_scaled,
)
from matteralign.metrics.intrinsic import estimate, first_of_duplicates, neighbors_needed
from matteralign.metrics.neighbors import Neighbors, euclidean_neighbors, inner_product_neighbors
from matteralign.metrics.specs import MetricSpec, Scored


@dataclass(frozen=True)
class Summary:
    """What is computed once per model.

    Attributes
    ----------
    n : int
        Rows of the embedding.
    duplicates : int
        Rows that repeat an earlier row exactly; intrinsic dimensions leave them out.
    neighbors : Neighbors
        Lists of ``min(k_neighbors, n - 1)`` neighbours over all rows.
    intrinsic : tuple of (MetricSpec, Scored)
        In the order of the specs; ``n`` of each counts the distinct rows.
    """

    n: int
    duplicates: int
    neighbors: Neighbors
    intrinsic: tuple[tuple[MetricSpec, Scored], ...]


def summarize(
    x: ArrayLike,
    *,
    k_neighbors: int,
    id_specs: Sequence[MetricSpec] = (),
    memory_bytes: int = DEFAULT_MEMORY_BYTES,
    name: str = "x",
) -> Summary:
    """Compute neighbour lists and intrinsic dimensions of one embedding.

    Parameters
    ----------
    x : array_like or torch.Tensor, shape (n, d)
    k_neighbors : int
        Neighbours to keep; capped at n - 1.
    id_specs : sequence of MetricSpec
        Of metrics ``twonn`` and ``mle``.
    memory_bytes : int
        Bound on the working blocks.
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
        As `as_matrix`, or k_neighbors < 1.
    MetricSpecError
        A spec that is not an intrinsic dimension.
    """
    matrix = as_matrix(x, name)
    if k_neighbors < 1:
        raise MetricInputError(f"k_neighbors must be at least 1, got {k_neighbors}")
    for spec in id_specs:
        if spec.info.kind != "model":
            raise MetricSpecError(f"{spec} scores a pair; id_specs takes twonn and mle")
    n = len(matrix)
    k = min(k_neighbors, n - 1)
    neighbors = neighbor_lists(matrix, k, memory_bytes=memory_bytes)
    first = first_of_duplicates(matrix)
    distances = neighbors.euclid_distance
    # Lists over all rows serve the distinct rows too when every row is distinct.
    wanted = min(max((neighbors_needed(s) for s in id_specs), default=0), len(first) - 1)
    if wanted > 0 and (len(first) < n or wanted > k):
        distances = _distances(matrix[first], wanted, memory_bytes)
    intrinsic = tuple((s, _intrinsic(s, matrix, distances, len(first), name)) for s in id_specs)
    return Summary(n, n - len(first), neighbors, intrinsic)


def _intrinsic(
    spec: MetricSpec, x: FloatArray, distances: FloatArray, distinct: int, name: str
) -> Scored:
    if is_constant(x):
        return Scored.not_applicable(constant_reason(name), distinct)
    try:
        return Scored.ok(estimate(spec, distances), distinct)
    except NotApplicable as reason:
        return Scored.not_applicable(str(reason), distinct)


def _distances(x: FloatArray, k: int, memory_bytes: int) -> FloatArray:
    scaled = pow2_scaled(x)
    distances = euclidean_neighbors(scaled, k, memory_bytes=memory_bytes)[1]
    return np.ldexp(distances, _exponent(x))


def _exponent(x: FloatArray) -> int:
    return math.frexp(float(np.abs(x).max()))[1]


def neighbor_lists(x: FloatArray, k: int, *, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> Neighbors:
    """Return both neighbour lists of a checked embedding; empty lists for k = 0.

    Distances are measured on a copy scaled by a power of two and scaled back, so that
    huge and tiny embeddings keep their order.
    """
    n = len(x)
    if k == 0:
        none = np.empty((n, 0), np.int32)
        return Neighbors(none, np.empty((n, 0)), none)
    scaled = pow2_scaled(x)
    index, distance = euclidean_neighbors(scaled, k, memory_bytes=memory_bytes)
    return Neighbors(
        euclid_index=index,
        euclid_distance=np.ldexp(distance, _exponent(x)),
        inner_index=inner_product_neighbors(scaled, k, memory_bytes=memory_bytes),
    )
