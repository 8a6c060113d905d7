"""Language models that read structures as text."""
