"""Interatomic potentials and other models of atoms in space."""
