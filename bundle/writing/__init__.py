"""Writing bundles and other files: whole or not at all."""
