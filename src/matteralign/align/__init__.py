"""Pairs of models: what is missing, what is stale, compute it, merge it."""
