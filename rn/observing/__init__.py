"""Observes images that stay where they are: in a pool of processes, each image read once."""
