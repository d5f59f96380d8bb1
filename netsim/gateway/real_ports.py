"""Real addresses that a network listens on, taken where the machine's network is.

Nodes live in an empty one (`interception/empty_network.py`): the supervisor takes them, for them.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from netsim.core.errors import NetsimError
from netsim.core.os_words import in_system_words
from netsim.topology.plan import PublishedPortPlan


class PublishedPortError(NetsimError):
    """A port cannot be listened on; the text says which and why."""


def bind(host: str, port: int) -> socket.socket:
    """A socket at a real address, that nobody can connect to yet; 0 takes a free port.

    PublishedPortError when the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise cannot_listen(host, port, error) from error
    return sock


def bind_all(
    planned: Sequence[PublishedPortPlan], numbers: Sequence[int] = ()
) -> list[socket.socket]:
    """Those that a computer publishes; `numbers`, where given, go before those of the plan.

    PublishedPortError when one cannot be had: then none is.
    """
    bound: list[socket.socket] = []
    try:
        for index, port in enumerate(planned):
            bound.append(bind(port.listen_host, numbers[index] if numbers else port.listen_port))
    except PublishedPortError:
        for sock in bound:
            sock.close()
        raise
    return bound


def listen(bound: socket.socket) -> None:
    """Have clients connect; PublishedPortError when somebody else has it listen already."""
    try:
        bound.listen()
    except OSError as error:
        host, port = bound.getsockname()[:2]
        raise cannot_listen(host, port, error) from error


def cannot_listen(host: str, port: int, error: OSError) -> PublishedPortError:
    """With why."""
    return PublishedPortError(f"cannot listen on {host}:{port}: {in_system_words(error)}")
