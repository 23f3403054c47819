"""Evaluation during and after training: predictions, measurements, and checkpoint selection."""
