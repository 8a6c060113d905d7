"""A user's own files."""
