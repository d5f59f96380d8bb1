"""Named random streams: every random choice in a network derives from one seed.

A stream is named after what draws from it (`"r1/eth0/loss"`), so that adding a node shifts
nobody else's numbers. The derivation is SHA-256 over seed and name, the same on every machine
and under every `PYTHONHASHSEED`.
"""

from __future__ import annotations

import hashlib
from random import Random


class RandomStreams:
    """Source of independent `random.Random` streams below one seed and one name prefix."""

    __slots__ = ("_prefix", "_seed")

    def __init__(self, seed: int, prefix: str = "") -> None:
        self._seed = seed
        self._prefix = prefix

    def stream(self, name: str) -> Random:
        """A new stream; the same seed and name give the same numbers."""
        label = f"{self._seed}/{self._prefix}{name}".encode()
        return Random(int.from_bytes(hashlib.sha256(label).digest(), "big"))

    def below(self, name: str) -> RandomStreams:
        """The streams whose names start with `name/`: what a part of the network is given."""
        return RandomStreams(self._seed, f"{self._prefix}{name}/")
