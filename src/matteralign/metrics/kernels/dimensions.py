"""Loops over ordered neighbour distances for the intrinsic dimensions."""

# Compiled code: numba finds the types.
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from matteralign.metrics.kernels.jit import jit


@jit
def inverse_dimensions(distances, ks):
    """Return mean_{j<k} ln(r_k / r_j) of every row for ascending ks, shape (n, len(ks))."""
    n = len(distances)
    out = np.empty((n, len(ks)))
    for i in range(n):
        first = distances[i, 0]
        total = 0.0
        at = 0
        for p in range(ks[-1]):
            log = np.log(distances[i, p] / first)
            while at < len(ks) and ks[at] == p + 1:
                out[i, at] = max(0.0, log - total / p)
                at += 1
            total += log
    return out
