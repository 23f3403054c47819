"""The socket that the service listens on, and the file descriptors that its connections may take."""

import resource
import socket

import psutil

BACKLOG = 2048
# For the ledger, models that are loaded while others are served, and connections about to be closed.
RESERVED_DESCRIPTORS = 64
# Where the limit is said to be infinite; macOS allows no more, whatever it says.
MOST_DESCRIPTORS = 10240


class AddressError(Exception):
    """The address cannot be listened on."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        AddressError: if the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's algorithm off only for sockets that declare
    # TCP; with it, every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
        return listener
    except OSError as error:
        listener.close()
        # The rest of the text, in brackets, names the address again.
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise AddressError(f"cannot listen on {host}:{port}: {reason}") from error


def connections_possible() -> int:
    """Raise the limit of file descriptors as far as allowed, and count the connections that fit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    taken: int = psutil.Process().num_fds()
    return max(1, possible - taken - RESERVED_DESCRIPTORS)
