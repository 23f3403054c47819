"""How images become target statistics."""
