"""What one direction of a link counts."""

from __future__ import annotations


class LinkCounters:
    """Every frame has one fate:

    sent + duplicated = handed_over + sum(dropped.values()) + those the link still holds
    """

    __slots__ = (
        "corrupted",
        "dropped",
        "dropped_bytes",
        "duplicated",
        "handed_over",
        "marked",
        "reordered",
        "sent",
        "sent_bytes",
    )

    def __init__(self) -> None:
        self.sent = 0
        """Frames given to the link, whatever became of them."""
        self.sent_bytes = 0
        """Their octets, without preamble and frame check sequence."""
        self.handed_over = 0
        """Frames on their way to the other end, copies included."""
        self.duplicated = 0
        """Extra copies made."""
        self.corrupted = 0
        """Frames with one bit flipped that go on; other kinds of frame are dropped as `crc`."""
        self.marked = 0
        """Frames that the queue marked as having met congestion (ECN) and kept."""
        self.reordered = 0
        """Frames that overtook one before them."""
        self.dropped_bytes = 0
        """Octets of the frames that the link itself has dropped."""
        self.dropped: dict[str, int] = {}
        """Frames by reason: `queue`, `aqm`, `mtu`, `carrier`, `loss`, `crc`; others add theirs."""

    def drop(self, reason: str, frames: int = 1) -> None:
        """Count frames that go no further."""
        self.dropped[reason] = self.dropped.get(reason, 0) + frames
