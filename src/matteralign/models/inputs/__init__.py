"""Structures as the tensors and texts that model packages read."""
