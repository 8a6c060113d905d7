"""Protein chains, and the RCSB Protein Data Bank."""
