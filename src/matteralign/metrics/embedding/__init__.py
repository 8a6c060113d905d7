"""One embedding as the metrics read it: rows, scaling, repeated and tied rows."""
