"""The command ``rn``: what a person types."""
