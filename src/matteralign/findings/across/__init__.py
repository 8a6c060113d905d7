"""Findings of several slices together: pairs, corners, bands of dimensions, maps."""
