"""Who says no: to an image, to a candidate version."""
