"""Ephemeral ports (RFC 6056 3.3.1, algorithm 1: a random start, then the next free one)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from netsim.stack.socket_errors import AddressNotAvailableError

FIRST_EPHEMERAL: Final = 32768
LAST_EPHEMERAL: Final = 60999
"""The range Linux uses."""


def ephemeral_port(random: Random, is_free: Callable[[int], bool]) -> int:
    """A free port; AddressNotAvailableError when every one is taken."""
    count = LAST_EPHEMERAL - FIRST_EPHEMERAL + 1
    start = random.randrange(count)
    for step in range(count):
        port = FIRST_EPHEMERAL + (start + step) % count
        if is_free(port):
            return port
    raise AddressNotAvailableError("no ephemeral port is left; close connections or wait")
