"""What names a connection: two addresses and two ports."""

from __future__ import annotations

Endpoint = tuple[bytes, int]
"""A packed address and a port."""


def key_of(remote: Endpoint, local: Endpoint) -> bytes:
    """Names a connection: both addresses, then both ports as an arriving segment has them in
    its first four octets, so that the receiving side gets it by joining bytes."""
    return b"%b%b%b%b" % (
        remote[0],
        local[0],
        remote[1].to_bytes(2, "big"),
        local[1].to_bytes(2, "big"),
    )
