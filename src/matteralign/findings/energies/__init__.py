"""Energies of models against those of DFT, and what goes with their errors."""
