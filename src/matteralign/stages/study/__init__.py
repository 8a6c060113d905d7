"""A study: its slices, panels and measures, and whether results are up to date."""
