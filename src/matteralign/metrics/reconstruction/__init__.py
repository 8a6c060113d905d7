"""How well one embedding reconstructs another: GFRE and LFRE."""
