"""Scores of shared neighbours: CKNNA and mutual kNN."""
