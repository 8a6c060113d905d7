"""Hashes that order neighbours that are equally near, see `ties`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from matteralign.metrics.base.jit import jit

Words = npt.NDArray[np.uint64]


@jit
def _mix(word):
    # The finalizer of splitmix64 (Steele, Lea & Flood 2014): every bit moves every other.
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@jit
def pair_key(a: Any, b: Any) -> Any:
    """Return the key of two rows from their labels, the same for (a, b) and (b, a)."""
    return _mix(a + b + np.uint64(0x9E3779B97F4A7C15))


@jit
def _mixed(words):
    out = np.empty(len(words), np.uint64)
    for i in range(len(words)):
        out[i] = _mix(words[i] + np.uint64(0x9E3779B97F4A7C15))
    return out


def mixed(words: Words) -> Words:
    """Return a hash of every word, shape (n,)."""
    out: Words = _mixed(words)
    return out
