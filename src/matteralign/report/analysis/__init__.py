"""Tables from scores and sidecars: matrices, tree, dimensions, imbalance, coverage."""

from __future__ import annotations
