"""Versions of a target: made from batches, judged, published, watched, and judged by labels."""
