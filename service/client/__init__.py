"""A client of the service for Python programs; needs neither the service's runtime nor its decoder."""

from service.client.errors import ClientError
from service.client.retries import NO_RETRIES, Retries
from service.client.target_client import Client

__all__ = ["NO_RETRIES", "Client", "ClientError", "Retries"]
