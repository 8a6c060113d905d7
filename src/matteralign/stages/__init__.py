"""Models and their pairs: what is missing, what is stale, compute it."""
