"""How predictions are run."""
