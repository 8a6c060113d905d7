"""Measure how alike scientific foundation models see matter."""

__version__ = "0.1.0"
