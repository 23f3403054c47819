"""A client of the service for Python programs; needs neither the service's runtime nor its decoder."""

from service.client.retries import NO_RETRIES, Retries
from service.client.target_client import Client, ClientError

__all__ = ["NO_RETRIES", "Client", "ClientError", "Retries"]
