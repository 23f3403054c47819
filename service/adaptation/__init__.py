"""Turns posted images into target statistics: admit, observe, merge."""
