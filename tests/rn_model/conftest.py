"""Lets every test of the training import torchvision."""

import tests.vision  # noqa: F401
