"""Compiled loops over tiles."""
