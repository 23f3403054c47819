"""Reads image files: the one reader of training, export, service and clients."""
