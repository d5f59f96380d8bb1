"""What is to be sent: data that is not acknowledged yet, and whether a FIN follows it."""

from __future__ import annotations


class SendBuffer:
    """Octets by sequence number; deleting at the front of a `bytearray` moves nothing."""

    __slots__ = ("base", "data", "end", "fin_queued")

    def __init__(self, base: int) -> None:
        self.base = base
        """Sequence number of the first octet in `data`."""
        self.end = base
        """Sequence number after the last octet; the FIN's, once it is queued."""
        self.data = bytearray()
        self.fin_queued = False
        """Nothing is appended any more."""

    def truncate(self, end: int) -> None:
        """Whatever is at `end` or beyond is sent by nobody."""
        del self.data[max(end - self.base, 0) :]
        self.end = self.base + len(self.data)

    def cut(self, start: int, stop: int) -> bytearray:
        """The octets from `start` to `stop`."""
        base = self.base
        return self.data[start - base : stop - base]

    def release(self, ack: int) -> None:
        """Everything below `ack` has arrived; the FIN, which that may cover, is not in here."""
        octets = min(ack - self.base, len(self.data))
        del self.data[:octets]
        self.base += octets
