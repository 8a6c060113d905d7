"""Wrappers that turn structures into latents with the models' own packages.

Nothing here imports a model package when it is imported; only the wrapper modules do, and
they are loaded inside a model's own environment.
"""
