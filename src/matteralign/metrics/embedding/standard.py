"""Standardised embeddings: columns to mean 0 and standard deviation 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from matteralign.metrics.base.inputs import BoolArray, FloatArray, LongArray, RealArray, SingleArray
from matteralign.metrics.embedding.column_loops import (
    column_facts,
    deviations,
    hash_rows,
    standardised,
)
from matteralign.metrics.embedding.near_rows import Precision, merge_near

_SAFE = 300  # exponents whose squares neither overflow nor underflow
_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class Standard:
    """How an embedding is standardised, without a float64 copy of it.

    Attributes
    ----------
    x : ndarray of float32 or float64, shape (n, d)
        As given, or with columns of extreme magnitude scaled by powers of two.
    mean, weight : ndarray, shape (d,)
        Mean and inverse standard deviation per column; weight 0 for a constant column.
    code : ndarray of int64, shape (n,)
        Equal for rows that are identical or differ by rounding alone, see `near_rows`.
    distinct : int
        How many different rows there are.
    """

    x: RealArray
    mean: FloatArray
    weight: FloatArray
    code: LongArray
    distinct: int

    @property
    def constant(self) -> bool:
        """Whether no column varies."""
        return not self.weight.any()

    def single(self) -> tuple[SingleArray, FloatArray]:
        """Return the standardised rows in float32, and half their squared norms in float64."""
        rows: SingleArray
        half: FloatArray
        rows, half = standardised(self.x, self.mean, self.weight)
        return rows, half


def standardise(x: Annotated[RealArray, "n d"], precision: Precision | None = None) -> Standard:
    """Return the standardisation of a checked embedding, shape (n, d).

    `precision` is that of its numbers before they were scaled, by default as they are.
    """
    made_with = Precision.of(x) if precision is None else precision
    largest, total, varying = column_facts(x)
    exponent = np.frexp(largest)[1]
    if np.abs(exponent).max() > _SAFE:
        x = np.ldexp(x, -exponent)
        total = column_facts(x)[1]
    mean = total / len(x)
    # Against the rounded mean; the second term removes what that rounding adds.
    square, shift = deviations(x, mean)
    variance = square / len(x) - (shift / len(x)) ** 2
    usable = varying & (variance > 0.0)
    weight = np.zeros(x.shape[1])
    weight[usable] = 1.0 / np.sqrt(variance[usable])
    code = merge_near(x, row_codes(x), made_with)
    return Standard(x, mean, weight, code, int(code.max()) + 1)


def row_codes(x: Annotated[RealArray, "n d"]) -> Annotated[LongArray, "n"]:
    """Return a number from 0 per row of `x`, equal exactly for identical rows."""
    hashes = np.empty(len(x), np.uint64)
    step = max(1, _BLOCK_BYTES // (8 * x.shape[1]))
    for start in range(0, len(x), step):
        plain = np.ascontiguousarray(x[start : start + step], np.float64)
        hashes[start : start + step] = hash_rows(plain.view(np.uint64))
    _, first, code = np.unique(hashes, return_index=True, return_inverse=True)
    if len(first) < len(x):
        again = np.flatnonzero(first[code] != np.arange(len(x)))
        if not (x[again] == x[first[code[again]]]).all():
            code = np.unique(x + 0.0, axis=0, return_inverse=True)[1]
    return code.astype(np.int64).reshape(-1)


def first_of_codes(
    code: Annotated[LongArray, "n"],
) -> Annotated[BoolArray, "n"]:
    """Return, per row, whether it is the first with its code."""
    first = np.zeros(len(code), np.bool_)
    first[np.unique(code, return_index=True)[1]] = True
    return first


def first_of_both(
    one: Annotated[LongArray, "n"], two: Annotated[LongArray, "n"]
) -> Annotated[BoolArray, "n"]:
    """Return, per row, whether it is the first with its two codes."""
    return first_of_codes(one * (int(two.max(initial=0)) + 1) + two)
