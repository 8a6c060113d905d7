"""Analyses of several slices together: each kind a module that makes its tables and figures."""
