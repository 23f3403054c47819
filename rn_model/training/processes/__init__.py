"""Devices and processes of a training: setup, interruption by signals, and common failure."""
