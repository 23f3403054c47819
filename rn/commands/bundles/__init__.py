"""Commands that read a bundle, or sign it."""
