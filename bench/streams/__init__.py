"""Streams of images that change, and methods that adapt to them: what ``bench.online`` compares."""
