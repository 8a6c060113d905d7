"""Similarity of embeddings and their intrinsic dimension, on plain arrays.

The floors of this package, from the top. What stands on one floor imports from those below it::

    functions        one metric of one or two arrays, as a plain function
    pairs            many metrics of many pairs, checked and put in order
    engine           one pass over the tiles for all pairs and metrics
    summary          what is computed once per embedding
    dimension        TwoNN, MLE and IdCor
    local, global_scores, imbalance, reconstruction
                     CKNNA and mutual kNN; dCor and CKA; information imbalance; GFRE and LFRE
    arrays           what metrics of whole arrays are given, and how pairs are put together
    tiles            blocks of kernels and distances, neighbour lists, sums and ranks from them
    embedding        one embedding: rows, scaling, repeated rows, ties
    base             what a metric is, what is asked for, what comes out, resources, errors

>>> import numpy as np
>>> from matteralign.metrics import dcor
>>> x = np.random.default_rng(0).normal(size=(100, 3))
>>> round(dcor(x, 2.0 * x), 6)
1.0
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from matteralign.metrics.base.registry import METRICS

if TYPE_CHECKING:
    from matteralign.core.scaling import Scaling
    from matteralign.metrics.base.card import DefinitionInfo, MetricInfo, ParamInfo
    from matteralign.metrics.base.errors import MetricInputError, MetricSpecError, NotApplicable
    from matteralign.metrics.base.resources import DEFAULT_MEMORY_BYTES
    from matteralign.metrics.base.specs import MetricSpec, PairScore, Scored, SweepPoint
    from matteralign.metrics.dimension.correlation import idcor
    from matteralign.metrics.embedding.scaling import normalize
    from matteralign.metrics.functions import (
        cka,
        cknna,
        dcor,
        information_imbalance,
        mle_intrinsic_dimension,
        mutual_knn,
        twonn,
    )
    from matteralign.metrics.pairs import compare
    from matteralign.metrics.reconstruction.scores import (
        global_reconstruction_error,
        local_reconstruction_error,
    )
    from matteralign.metrics.summary import Summary, summarize, summarize_scalings
    from matteralign.metrics.tiles.neighbors import Neighbors

# Names are loaded when first used: checking a configuration needs no numerics.
_HOMES = {
    "DEFAULT_MEMORY_BYTES": "base.resources",
    "DefinitionInfo": "base.card",
    "MetricInfo": "base.card",
    "MetricInputError": "base.errors",
    "MetricSpec": "base.specs",
    "MetricSpecError": "base.errors",
    "Neighbors": "tiles.neighbors",
    "Scaling": "embedding.scaling",
    "NotApplicable": "base.errors",
    "PairScore": "base.specs",
    "ParamInfo": "base.card",
    "Scored": "base.specs",
    "Summary": "summary",
    "SweepPoint": "base.specs",
    "compare": "pairs",
    "normalize": "embedding.scaling",
    "summarize": "summary",
    "summarize_scalings": "summary",
}


# The cards say where the function of each metric is.
_FUNCTIONS = {
    function: home
    for home, _, function in (info.function.partition(":") for info in METRICS.values())
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    home = _HOMES.get(name) or _FUNCTIONS.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "METRICS",
    "DefinitionInfo",
    "MetricInfo",
    "MetricInputError",
    "MetricSpec",
    "MetricSpecError",
    "Neighbors",
    "NotApplicable",
    "PairScore",
    "ParamInfo",
    "Scaling",
    "Scored",
    "Summary",
    "SweepPoint",
    "cka",
    "cknna",
    "compare",
    "dcor",
    "global_reconstruction_error",
    "idcor",
    "information_imbalance",
    "local_reconstruction_error",
    "mle_intrinsic_dimension",
    "mutual_knn",
    "normalize",
    "summarize",
    "summarize_scalings",
    "twonn",
]
__all__ += [name for name in _FUNCTIONS if name not in __all__]
