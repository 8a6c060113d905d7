"""From scores to findings: numbers from matrices of scores and facts of models; no files."""
