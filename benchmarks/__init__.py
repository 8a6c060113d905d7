"""Speed and memory of engine and models, beside other packages: ``make bench``."""
