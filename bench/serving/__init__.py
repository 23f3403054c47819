"""Measures the service beside other servers of the same network: ``python -m bench.serving``."""

from bench.serving.service import free_port, served

__all__ = ["free_port", "served"]
