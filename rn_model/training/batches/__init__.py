"""Training batches: which images they contain, and how these are loaded."""
