"""Model cards and environments: the only truth about a model (no package of any model)."""
