"""Standardised embeddings: columns to mean 0 and standard deviation 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from matteralign.metrics.inputs import FloatArray
from matteralign.metrics.kernels.jit import jit

_SAFE = 300  # exponents whose squares neither overflow nor underflow
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class Standard:
    """How an embedding is standardised, without a float64 copy of it.

    Attributes
    ----------
    x : ndarray of float64, shape (n, d)
        As given, or with columns of extreme magnitude scaled by powers of two.
    mean, weight : ndarray, shape (d,)
        Mean and inverse standard deviation per column; weight 0 for a constant column.
    code : ndarray of int64, shape (n,)
        Equal exactly for rows that are identical.
    distinct : int
        How many different rows there are.
    """

    x: FloatArray
    mean: FloatArray
    weight: FloatArray
    code: npt.NDArray[np.int64]
    distinct: int

    @property
    def constant(self) -> bool:
        """Whether no column varies."""
        return not self.weight.any()

    def single(self) -> tuple[npt.NDArray[np.float32], FloatArray]:
        """Return the standardised rows in float32, and half their squared norms in float64."""
        n, d = self.x.shape
        rows = np.empty((n, d), np.float32)
        half = np.empty(n)
        step = max(1, _BLOCK_BYTES // (8 * d))
        for start in range(0, n, step):
            block = (self.x[start : start + step] - self.mean) * self.weight
            rows[start : start + step] = block
            half[start : start + step] = 0.5 * np.einsum("ij,ij->i", block, block)
        return rows, half


def standardise(x: FloatArray) -> Standard:
    """Return the standardisation of a checked embedding, shape (n, d)."""
    largest = np.abs(x).max(axis=0)
    exponent = np.frexp(largest)[1]
    if np.abs(exponent).max() > _SAFE:
        x = np.ldexp(x, -exponent)
    mean = x.mean(axis=0)
    # Against the rounded mean; the second term removes what that rounding adds.
    varying = (x != x[0]).any(axis=0)
    square, shift = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    step = max(1, _BLOCK_BYTES // (8 * x.shape[1]))
    for start in range(0, len(x), step):
        block = x[start : start + step] - mean
        square += np.einsum("ij,ij->j", block, block)
        shift += block.sum(axis=0)
    variance = square / len(x) - (shift / len(x)) ** 2
    usable = varying & (variance > 0.0)
    weight = np.zeros(x.shape[1])
    weight[usable] = 1.0 / np.sqrt(variance[usable])
    code = row_codes(x)
    return Standard(x, mean, weight, code, int(code.max()) + 1)


def row_codes(x: FloatArray) -> npt.NDArray[np.int64]:
    """Return a number from 0 per row of `x`, equal exactly for identical rows."""
    _, first, code = np.unique(_hashes(x), return_index=True, return_inverse=True)
    if len(first) < len(x):
        again = np.flatnonzero(first[code] != np.arange(len(x)))
        if not (x[again] == x[first[code[again]]]).all():
            code = np.unique(x + 0.0, axis=0, return_inverse=True)[1]
    return code.astype(np.int64).reshape(-1)


def first_of_codes(code: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return, per row, whether it is the first with its code."""
    first = np.zeros(len(code), np.bool_)
    first[np.unique(code, return_index=True)[1]] = True
    return first


@jit
def _hash_words(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    hashes = np.empty(len(words), np.uint64)
    for i in range(len(words)):
        h = np.uint64(0x9E3779B97F4A7C15)
        for k in range(words.shape[1]):
            h = (h ^ words[i, k]) * np.uint64(0xFF51AFD7ED558CCD)
            h ^= h >> np.uint64(32)
        hashes[i] = h
    return hashes


def _hashes(x: FloatArray) -> npt.NDArray[np.uint64]:
    hashes = np.empty(len(x), np.uint64)
    step = max(1, _BLOCK_BYTES // (8 * x.shape[1]))
    for start in range(0, len(x), step):
        plain = np.ascontiguousarray(x[start : start + step], np.float64) + 0.0  # -0.0 equals 0.0
        hashes[start : start + step] = _hash_words(plain.view(np.uint64))
    return hashes
