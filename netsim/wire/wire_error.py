"""What a parser raises when bytes are not what they claim to be."""

from __future__ import annotations


class WireError(ValueError):
    """Malformed bytes from the wire.

    `reason` is a short name in kebab case (`"ipv4-checksum"`): the counter under which the
    receiver files the drop.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
