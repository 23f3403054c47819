"""Which images make a batch, and how they are read."""
