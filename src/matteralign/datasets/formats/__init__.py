"""Formats of users' own files, one module each."""
