"""Untrained language models and their vocabularies."""
