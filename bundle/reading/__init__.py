"""Reading bundles without trusting them."""
