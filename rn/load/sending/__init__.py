"""Sends requests: over which connections, when, and until when."""
