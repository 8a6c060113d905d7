"""What a metric is, what is asked of it, and what all of them share."""
