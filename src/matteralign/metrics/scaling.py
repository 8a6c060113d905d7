"""Scaling of an embedding before it is compared."""

from __future__ import annotations

from typing import Literal

import numpy as np

from matteralign.core.suggest import unknown
from matteralign.metrics.errors import MetricSpecError
from matteralign.metrics.inputs import ArrayLike, FloatArray, as_matrix

NormalizeMode = Literal["max", "l2", "none"]
MODES = ("max", "l2", "none")


def normalize(x: ArrayLike, mode: NormalizeMode) -> FloatArray:
    """Scale an embedding.

    Parameters
    ----------
    x : array_like or torch.Tensor, shape (n, d)
    mode : {"max", "l2", "none"}
        ``max`` divides by the largest absolute element, ``l2`` divides every row by its
        Euclidean norm, ``none`` only converts. All-zero arrays and rows stay zero.

    Returns
    -------
    ndarray of float64, shape (n, d)

    Raises
    ------
    MetricInputError
        As `as_matrix`.
    MetricSpecError
        Unknown mode.
    """
    if mode not in MODES:
        raise MetricSpecError(unknown("normalize mode", str(mode), MODES))
    matrix = as_matrix(x)
    if mode == "none":
        return matrix
    if mode == "l2":
        return scaled_rows(matrix)
    largest = float(np.abs(matrix).max())
    scaled: FloatArray = matrix / (largest or 1.0)
    return scaled


def scaled_rows(matrix: FloatArray) -> FloatArray:
    """Return `matrix` with every row divided by its Euclidean norm; zero rows stay zero."""
    # Rows are divided by their largest element first: squares cannot overflow.
    largest = np.abs(matrix).max(axis=1, keepdims=True)
    scaled: FloatArray = matrix / np.where(largest == 0.0, 1.0, largest)
    norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    scaled /= np.where(norms == 0.0, 1.0, norms)
    return scaled
