"""Writes a bundle: whole or not at all."""
