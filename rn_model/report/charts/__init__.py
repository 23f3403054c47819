"""Charts as SVG elements of an HTML page."""
