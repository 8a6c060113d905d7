"""Bring pinned files into the shared, content-addressed cache."""
