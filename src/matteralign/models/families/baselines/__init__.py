"""Descriptors, fingerprints and random vectors."""
