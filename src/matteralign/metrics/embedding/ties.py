"""Which of several neighbours that are equally near comes first: a draw of each embedding.

Ordered by row number, two unrelated embeddings would agree on neighbours wherever both have
ties. Here every pair of rows has a key, a hash of the sum of the two rows' labels, and of equal
neighbours that with the smaller key is the nearer one, as if every distance had been moved by
a little of its own. A label is a hash of the row's numbers and of all rows together, so

* the same embedding has the same lists, in single or double precision, scaled by a power of
  two or not, whichever way they are searched for;
* two embeddings have independent lists, under random pairing of their rows just as they are;
* rows in another order have the same neighbours.

Only of rows that repeat each other a label depends on where they stand: nothing else tells
them apart.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt

from matteralign.metrics.embedding.column_loops import hash_rows
from matteralign.metrics.embedding.embedding import Embedding
from matteralign.metrics.embedding.key_loops import mixed

Labels = npt.NDArray[np.uint64]


def tie_labels(embedding: Embedding) -> Annotated[Labels, "n"]:
    """Return the labels of the valid rows of an embedding, shape (v,)."""
    largest = 0.0
    for start, stop in embedding.spans():
        rows = embedding.source[start:stop][embedding.valid[start:stop]]
        if rows.size:
            largest = max(largest, float(np.abs(rows).max()))
    exponent = math.frexp(largest)[1]
    parts = []
    for start, stop in embedding.spans():
        rows = embedding.source[start:stop][embedding.valid[start:stop]]
        plain = np.ldexp(np.asarray(rows, np.float64, order="C"), -exponent)
        parts.append(hash_rows(plain.view(np.uint64)))
    return labels_of(np.concatenate(parts))


def labels_of(rows: Annotated[Labels, "n"]) -> Annotated[Labels, "n"]:
    """Return the labels of rows from a hash of each, shape (n,)."""
    rows = mixed(rows)
    together = mixed(rows.sum(dtype=np.uint64, keepdims=True))
    labels: Labels = mixed(rows ^ together)
    _, group, size = np.unique(rows, return_inverse=True, return_counts=True)
    if len(size) < len(rows):
        place = mixed(np.arange(len(rows), dtype=np.uint64))
        in_order = mixed(mixed(rows ^ place).sum(dtype=np.uint64, keepdims=True))
        repeated = size[group] > 1
        labels[repeated] = mixed(labels ^ mixed(place ^ in_order))[repeated]
    return labels
