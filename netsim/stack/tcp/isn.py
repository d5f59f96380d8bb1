"""Initial sequence numbers (RFC 6528): ISN = M + F(addresses, ports, secret)."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Final

from netsim.core.time import MICROSECOND
from netsim.stack.tcp.seq import MASK

_TICK: Final = 4 * MICROSECOND


class SequenceNumbers:
    """Hard to guess from outside, yet growing for one pair of endpoints."""

    __slots__ = ("_secret",)

    def __init__(self, random: Random) -> None:
        self._secret = random.randbytes(16)

    def initial(self, endpoints: bytes, now: int) -> int:
        """For the connection whose addresses and ports are `endpoints`."""
        return self._hash(endpoints, b"isn") + now // _TICK & MASK

    def timestamp_offset(self, endpoints: bytes) -> int:
        """Added to the clock in the timestamps option, so that it does not tell the uptime
        (RFC 7323 7.1) and still grows from one connection of a pair to the next."""
        return self._hash(endpoints, b"timestamp")

    def cookie(self, said: bytes) -> int:
        """What nobody can make who does not know the secret (RFC 4987 3.6)."""
        return self._hash(said, b"cookie")

    def _hash(self, endpoints: bytes, purpose: bytes) -> int:
        digest = hashlib.blake2s(endpoints, digest_size=4, key=self._secret, person=purpose[:8])
        return int.from_bytes(digest.digest(), "big")
