"""The checks of ``rn doctor``."""
