"""Comparisons of the exported graphs with the network."""
