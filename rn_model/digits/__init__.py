"""The built-in example: images of digits in two domains, and small networks for them."""
