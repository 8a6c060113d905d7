"""The wrappers, one module for each family of models."""
