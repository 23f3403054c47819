"""Compares the graphs with the network that they came from."""
