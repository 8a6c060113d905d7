"""Scores and sidecars in, tables out: matrices, tree, dimensions, imbalance, coverage."""

from __future__ import annotations
