"""Thin singular value decompositions, from the Gram matrix where that is as good."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from matteralign.metrics.base.inputs import FloatArray

Parts = tuple[FloatArray, FloatArray, FloatArray]

STEEPEST = 1e-8
"""Smallest eigenvalue of a Gram matrix over the largest down to which it is trusted.

Eigenvalues are off by about 1e-16 of the largest, so the smallest of them, and what is solved
with it, keeps eight digits at the worst.
"""


def decompose(x: Annotated[FloatArray, "*B n d"], *, centred: bool = False) -> Parts:
    """Return u, s and vt with ``x = u s vt``, largest singular values first.

    Parameters
    ----------
    x : ndarray, shape (n, d), or (B, n, d) for a batch
    centred : bool
        Whether the rows sum to zero but for rounding: the one singular value that this makes
        zero is left out where n <= d.

    Notes
    -----
    Of a batch, eigenvectors of the smaller of ``x x^T`` and ``x^T x`` are taken, a third of
    the work, unless its eigenvalues reach below `STEEPEST`. One matrix is decomposed itself.
    """
    if x.ndim == 2:
        return _svd(x)
    n, d = x.shape[1:]
    short = n - 1 if centred and n <= d else min(n, d)
    if short < 1:
        return _svd(x)
    turned = np.swapaxes(x, 1, 2)
    values, vectors = np.linalg.eigh(x @ turned if n <= d else turned @ x)
    # Turned round once: products of reversed views would copy them every time.
    values = values[:, : -short - 1 : -1]
    vectors = np.ascontiguousarray(vectors[:, :, : -short - 1 : -1])
    # Also false for a matrix of zeros.
    sound = values[:, -1] > STEEPEST * values[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):  # where it is not sound
        s = np.sqrt(values)
        if n <= d:
            u = vectors
            vt = np.swapaxes(u, 1, 2) @ x
            vt /= s[:, :, None]
        else:
            vt = np.swapaxes(vectors, 1, 2)
            u = x @ vectors
            u /= s[:, None, :]
    steep = np.flatnonzero(~sound)
    if len(steep):
        u[steep], s[steep], vt[steep] = (
            part[..., :short, :] if at == 2 else part[..., :short]
            for at, part in enumerate(_svd(x[steep]))
        )
    return u, s, vt


def _svd(x: FloatArray) -> Parts:
    n, d = x.shape[-2:]
    if d <= n:
        return np.linalg.svd(x, full_matrices=False)
    # In orthogonal coordinates of the span of the rows: n columns instead of d.
    basis, upper = np.linalg.qr(np.swapaxes(x, -1, -2))
    u, s, vt = np.linalg.svd(np.swapaxes(upper, -1, -2), full_matrices=False)
    return u, s, vt @ np.swapaxes(basis, -1, -2)
