"""Verbs that the workflow calls."""
