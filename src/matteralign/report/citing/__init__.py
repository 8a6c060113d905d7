"""What to cite for a slice: works, BibTeX, and a paragraph on the methods."""
