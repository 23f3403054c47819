"""How a training is interrupted, and how its processes end together."""
