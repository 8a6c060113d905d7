"""Dense n x n definitions of the local scores and brute-force neighbour lists, for the tests."""

from __future__ import annotations

import numpy as np

from matteralign.metrics.embedding.embedding import open_embedding
from matteralign.metrics.embedding.key_loops import mixed
from matteralign.metrics.embedding.ties import tie_labels


def tie_keys(x):
    """What decides between equally near rows: a hash of the sum of two rows' labels."""
    labels = tie_labels(open_embedding(x, "x"))
    sums = labels[:, None] + labels[None]
    return mixed(sums.ravel()).reshape(sums.shape)


def ordered(kernel, length, keys):
    """Columns of the largest elements of every row, itself left out."""
    shown = kernel.copy()
    np.fill_diagonal(shown, -np.inf)
    return np.lexsort((keys, -shown), axis=1)[:, :length].astype(np.int32)


def inner_lists(x, length):
    x = x.astype(np.float64)
    return ordered(x @ x.T, length, tie_keys(x))


def euclid_lists(x, length):
    x = x.astype(np.float64)
    return ordered(-((x[:, None] - x[None]) ** 2).sum(axis=2), length, tie_keys(x))


def mask_of(index, k):
    mask = np.zeros((len(index), len(index)))
    np.put_along_axis(mask, index[:, :k].astype(np.intp), 1.0, axis=1)
    return mask


def text_parts(x, y, k):
    """Masked centred kernels of both sides and the denominator."""
    n = len(x)
    h = np.eye(n) - np.ones((n, n)) / n
    a, b = (mask_of(inner_lists(z, k), k) * (h @ (z @ z.T) @ h) for z in (x, y))
    return a, b, np.sqrt((a**2).sum() * (b**2).sum())


def dense_text(x, y, k):
    a, b, scale = text_parts(x, y, k)
    return (a * b).sum() / scale


def song_unbiased_hsic(k, l):  # noqa: E741
    """Song et al. 2012, eq. 5, for kernels without diagonal."""
    m, ones = len(k), np.ones(len(k))
    first = np.trace(k @ l)
    second = (ones @ k @ ones) * (ones @ l @ ones) / ((m - 1) * (m - 2))
    third = 2.0 / (m - 2) * (ones @ k @ l @ ones)
    return (first + second - third) / (m * (m - 3))


def huh_scale(x, y, k):
    own = [
        song_unbiased_hsic(z, z)
        for z in (mask_of(inner_lists(w, k), k) * (w @ w.T) for w in (x, y))
    ]
    return np.sqrt(own[0] * own[1]) + 1e-6


def dense_huh2024(x, y, k):
    both = mask_of(inner_lists(x, k), k) * mask_of(inner_lists(y, k), k)
    return song_unbiased_hsic(both * (x @ x.T), both * (y @ y.T)) / huh_scale(x, y, k)


def dense_mutual(x, y, k, lists=inner_lists):
    return (mask_of(lists(x, k), k) * mask_of(lists(y, k), k)).sum() / (k * len(x))


def embeddings(seed, n, dx=12, dy=9, offset=0.0, noise=0.3):
    rng = np.random.RandomState(seed)
    x = rng.standard_normal((n, dx))
    y = np.tanh(x @ rng.standard_normal((dx, dy))) + noise * rng.standard_normal((n, dy))
    return x + offset, y - 0.5 * offset
