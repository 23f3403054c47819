"""Variants of the folded graph in lower precision."""
