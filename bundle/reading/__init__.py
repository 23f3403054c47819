"""Reads a bundle without trusting it."""
