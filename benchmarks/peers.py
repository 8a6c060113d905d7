"""Peers that live in this environment: dense CKNNA, dcor, scikit-dimension."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import dense
from benchmarks.engine import load
from benchmarks.foreign.meter import timed

Pairs = list[tuple[str, str]]


def _names(pairs: Pairs) -> list[str]:
    return sorted({name for pair in pairs for name in pair})


def dense_task(folder: str, pairs: Pairs, k: int, product: bool) -> dict[str, Any]:
    """Time dense CKNNA of pairs, both kernels and all neighbours included."""
    embeddings = load(folder, _names(pairs))
    measured = [
        timed(lambda a=a, b=b: dense.cknna(embeddings[a], embeddings[b], k, product=product))
        for a, b in pairs
    ]
    return {
        "version": "numpy " + version("numpy"),
        "values": [[value] for value, _ in measured],
        "samples": [sample for _, sample in measured],
    }


def dcor_task(folder: str, pairs: Pairs) -> dict[str, Any]:
    """Time dcor's distance correlation on its double-precision path.

    dcor 0.7 asks whether an array may be taken as doubles by comparing its array
    namespace with numpy; array-api-compat's wrapper never equals it, so that N x N x d
    temporaries are built instead of calling scipy. The answer is given for it here, on
    arrays that are doubles already.
    """
    import dcor
    from dcor import distances

    embeddings = {name: x.astype(np.float64) for name, x in load(folder, _names(pairs)).items()}
    first = [embeddings[name][:100] for name in pairs[0]]
    with mock.patch.object(distances, "_can_be_numpy_double", lambda x: isinstance(x, np.ndarray)):
        dcor.distance_correlation(*first)
        measured = [
            timed(lambda a=a, b=b: dcor.distance_correlation(embeddings[a], embeddings[b]))
            for a, b in pairs
        ]
    return {
        "version": "dcor " + version("dcor"),
        "values": [[float(value)] for value, _ in measured],
        "samples": [sample for _, sample in measured],
    }


def skdim_task(folder: str, names: list[str], k: int) -> dict[str, Any]:
    """Time scikit-dimension's MLE of every model."""
    import skdim

    embeddings = load(folder, names)
    skdim.id.MLE().fit(embeddings[names[0]][:200], n_neighbors=k, comb="mle")
    measured = [
        timed(lambda x=x: skdim.id.MLE().fit(x, n_neighbors=k, comb="mle").dimension_)
        for x in embeddings.values()
    ]
    return {
        "version": "scikit-dimension " + version("scikit-dimension"),
        "values": [[float(value)] for value, _ in measured],
        "samples": [sample for _, sample in measured],
    }
