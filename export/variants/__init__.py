"""The folded graph in lower precision."""
