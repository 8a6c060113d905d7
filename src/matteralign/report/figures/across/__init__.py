"""Figures of several slices together, from the tables of an analysis."""
