"""File formats and their schemas: the only room that knows how anything lies on disk."""
