"""Errors, hashes and atomic files: what every other room stands on (stdlib only)."""
