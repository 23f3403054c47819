"""Trial passes of a network that find what training or export would get wrong, and name the layer."""
