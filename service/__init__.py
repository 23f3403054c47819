"""Serves a bundle over HTTP and adapts it online; nothing here needs torch."""
