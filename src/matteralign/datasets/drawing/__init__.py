"""Which rows of a dataset are drawn."""
