"""Metrics that read whole arrays of the rows that both embeddings have."""
