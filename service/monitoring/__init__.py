"""Metrics of the service, as seen from outside."""
