"""The scalings of a latent, each with what it does in words, shared by all rooms."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Scaling = Literal["none", "max", "row_max", "row_max_abs", "l2", "clamp_l2"]

SCALINGS: Mapping[Scaling, str] = MappingProxyType(
    {
        "none": "latents as they are",
        "max": "whole array divided by its largest absolute element",
        "row_max": "each row divided by its largest element",
        "row_max_abs": "each row divided by its largest absolute element",
        "l2": "each row divided by its length",
        "clamp_l2": "elements clamped at the 95 % quantile of their absolute values, then each "
        "row divided by its length",
    }
)
