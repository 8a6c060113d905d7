"""Scaling of an embedding before it is compared."""

from __future__ import annotations

from typing import Literal

import numpy as np

from matteralign.core.suggest import unknown
from matteralign.metrics.errors import MetricSpecError
from matteralign.metrics.inputs import ArrayLike, FloatArray, as_matrix

NormalizeMode = Literal["max", "l2", "none"]
_MODES = ("max", "l2", "none")


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
    if mode not in _MODES:
        raise MetricSpecError(unknown("normalize mode", str(mode), _MODES))
    matrix = as_matrix(x)
    if mode == "none":
        return matrix
    largest = np.abs(matrix).max(axis=1 if mode == "l2" else None, keepdims=True)
    scaled: FloatArray = matrix / np.where(largest == 0.0, 1.0, largest)
    if mode == "l2":
        # Rows are divided by their largest element first: squares cannot overflow.
        norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
        scaled /= np.where(norms == 0.0, 1.0, norms)
    return scaled
