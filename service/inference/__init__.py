"""Runs predictions: sessions, the device, and the queue."""
