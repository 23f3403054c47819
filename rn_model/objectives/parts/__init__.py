"""Losses, layers and networks that several objectives use."""
