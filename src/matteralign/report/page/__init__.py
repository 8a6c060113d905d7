"""The HTML page of a slice."""
