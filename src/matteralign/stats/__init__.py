"""Nulls, confidence intervals and multiple testing: numbers in, numbers out."""
