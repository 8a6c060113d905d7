"""Tiles of kernels and distances of all pairs of rows, and what is read from them."""
