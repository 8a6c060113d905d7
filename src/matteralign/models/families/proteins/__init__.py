"""Models of protein sequences and structures."""
