"""The smallest of some values, unordered."""

from __future__ import annotations

from matteralign.metrics.base.jit import jit


@jit
def select_smallest(values, index, keep):
    """Bring the `keep` smallest of some values to their front; return the largest of them.

    The numbers in `index` move with them. Hoare's selection, pivots by median of three.

    Parameters
    ----------
    values : (n,), float32 or float64
    index : (n,) of int
    keep : int
        From 1 to n.
    """
    low, high = 0, len(values) - 1
    last = keep - 1
    while low < high:
        middle = (low + high) // 2
        a, b, c = values[low], values[middle], values[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                index[i], index[j] = index[j], index[i]
                i += 1
                j -= 1
        if last <= j:
            high = j
        elif last >= i:
            low = i
        else:
            break
    return values[last]
