"""Verbs that test models and metrics."""
