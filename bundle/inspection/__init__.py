"""What can be told of a bundle, and how two differ."""
