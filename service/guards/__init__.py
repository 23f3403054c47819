"""Guards: decide which images are admitted and which candidate versions are published."""
