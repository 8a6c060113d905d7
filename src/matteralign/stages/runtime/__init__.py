"""Build the models' environments and run work inside them."""
