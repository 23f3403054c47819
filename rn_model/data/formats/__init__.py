"""Formats that image sets come in: folders, list files, ``.npz`` arrays and built-in digits."""
