"""Verbs that list what there is: models, datasets, metrics, prompts, panels."""
