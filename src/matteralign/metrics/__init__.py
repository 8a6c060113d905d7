"""Similarity of embeddings and their intrinsic dimension, on plain arrays.

>>> import numpy as np
>>> from matteralign.metrics import dcor
>>> x = np.random.default_rng(0).normal(size=(100, 3))
>>> round(dcor(x, 2.0 * x), 6)
1.0
"""

from __future__ import annotations

from matteralign.metrics.blocks import DEFAULT_MEMORY_BYTES
from matteralign.metrics.errors import MetricInputError, MetricSpecError, NotApplicable
from matteralign.metrics.functions import (
    cka,
    cknna,
    dcor,
    information_imbalance,
    mle_intrinsic_dimension,
    twonn,
)
from matteralign.metrics.neighbors import Neighbors
from matteralign.metrics.pairs import compare
from matteralign.metrics.registry import METRICS, DefinitionInfo, MetricInfo, ParamInfo
from matteralign.metrics.scaling import NormalizeMode, normalize
from matteralign.metrics.specs import MetricSpec, PairScore, Scored
from matteralign.metrics.summary import Summary, summarize

__all__ = [
    "DEFAULT_MEMORY_BYTES",
    "METRICS",
    "DefinitionInfo",
    "MetricInfo",
    "MetricInputError",
    "MetricSpec",
    "MetricSpecError",
    "Neighbors",
    "NormalizeMode",
    "NotApplicable",
    "PairScore",
    "ParamInfo",
    "Scored",
    "Summary",
    "cka",
    "cknna",
    "compare",
    "dcor",
    "information_imbalance",
    "mle_intrinsic_dimension",
    "normalize",
    "summarize",
    "twonn",
]
