"""Speed, memory and scaling of the metric engine, beside other packages: ``make bench``."""
