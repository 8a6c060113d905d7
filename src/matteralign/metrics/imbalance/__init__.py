"""Information imbalance."""
