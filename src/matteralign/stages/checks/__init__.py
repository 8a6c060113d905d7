"""Checks of models: the contract, the answer to disturbances, what energies a latent holds."""
