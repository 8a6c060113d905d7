"""Datasets: bring the raw files, parse them, draw a slice."""
