"""Intrinsic dimensions and their correlation."""
