"""The jobs of a worker process."""
