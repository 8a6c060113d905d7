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


@jit
def inverse_lanes(distances, ks, row, neighbor):
    """Return the mean of `inverse_dimensions` and of its reciprocals without each block.

    Shape (len(ks), 2, B). The k-th entry is that of the list without the block.
    """
    n, length = distances.shape
    count = row.max() + 1
    sums = np.zeros((len(ks), 2, count))
    rows = np.zeros(count)
    logs = np.empty(length)
    for i in range(n):
        end = 0
        while end < length and neighbor[i, end] >= 0:
            logs[end] = np.log(distances[i, end] / distances[i, 0])
            end += 1
        for b in range(count):
            if b == row[i]:
                continue
            rows[b] += 1.0
            total = 0.0
            last = 0.0
            taken = 0
            at = 0
            for p in range(end):
                if neighbor[i, p] == b:
                    continue
                taken += 1
                last = logs[p]
                if ks[at] == taken:
                    inverse = max(0.0, last - total / (taken - 1))
                    sums[at, 0, b] += inverse
                    sums[at, 1, b] += 1.0 / inverse if inverse > 0.0 else np.inf
                    at += 1
                    if at == len(ks):
                        break
                total += last
            if at < len(ks) and taken > 1:
                inverse = max(0.0, last - (total - last) / (taken - 1))
                for left in range(at, len(ks)):
                    sums[left, 0, b] += inverse
                    sums[left, 1, b] += 1.0 / inverse if inverse > 0.0 else np.inf
    return sums / rows


@jit
def first_two_lanes(distances, row, neighbor, count):
    """Return ln(r2 / r1) of every row without each block, NaN for its own, shape (n, B)."""
    n, length = distances.shape
    out = np.full((n, count), np.nan)
    for i in range(n):
        for b in range(count):
            if b == row[i]:
                continue
            first = 0.0
            for p in range(length):
                if neighbor[i, p] < 0:
                    break
                if neighbor[i, p] == b:
                    continue
                if first == 0.0:
                    first = distances[i, p]
                else:
                    out[i, b] = np.log(distances[i, p] / first)
                    break
    return out
