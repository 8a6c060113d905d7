"""From scores to tables, figures and the page of a slice."""
