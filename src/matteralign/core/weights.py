"""The one choice between trained and untrained weights, shared by configuration and stages."""

from typing import Literal

Weights = Literal["trained", "untrained-where-missing"]
