"""Numbered frames through a queue and its link."""

from __future__ import annotations

from netsim.core.link_attributes import LinkAttributes
from netsim.core.queue_settings import Queue
from netsim.core.streams import RandomStreams
from netsim.link.simplex_link import SimplexLink
from netsim.wire import ipv4

MBIT = 1_000_000
FOREVER = 1 << 62
TEN_MBIT_FRAME = 1250  # octets: 1 ms each


def frame_of(serial: int, *, flow: int = 1, size: int = TEN_MBIT_FRAME, tos: int = 0) -> bytes:
    """A UDP packet: `flow` is its source port."""
    payload = flow.to_bytes(2, "big") + bytes(2) + serial.to_bytes(8, "big")
    header = ipv4.pack_plain(tos, size - 14, 0, 64, 17, b"\x0a\0\0\1", b"\x0a\0\0\2")
    return (bytes(12) + b"\x08\0" + header + payload).ljust(size, b"\0")


def serial_of(frame: bytes) -> int:
    return int.from_bytes(frame[38:46], "big")


def flow_of(frame: bytes) -> int:
    return int.from_bytes(frame[34:36], "big")


def link_with(queue: Queue, bandwidth: int = 10 * MBIT) -> SimplexLink:
    return SimplexLink(LinkAttributes(bandwidth_bps=bandwidth, queue=queue), RandomStreams(1))


class Run:
    """Frames through a link, asked for as a runtime asks: when one is about to depart."""

    def __init__(self, link: SimplexLink) -> None:
        self.link = link
        self.departures: list[tuple[int, int, bytes]] = []
        self.waits: dict[int, list[int]] = {}
        """By flow, in ns: from arrival to departure."""
        self._arrivals: dict[int, int] = {}
        self._serial = 0

    def send(self, now: int, flow: int = 1, size: int = TEN_MBIT_FRAME, tos: int = 0) -> None:
        self.until(now)
        self._serial += 1
        self._arrivals[self._serial] = now
        self.link.enqueue(frame_of(self._serial, flow=flow, size=size, tos=tos), now)

    def until(self, now: int) -> None:
        while (following := self.link.next_departure()) is not None and following <= now:
            for departure in self.link.dequeue(following):
                frame = departure[2]
                wait = departure[0] - self._arrivals[serial_of(frame)]
                self.waits.setdefault(flow_of(frame), []).append(wait)
                self.departures.append(departure)
        counters = self.link.counters
        fates = counters.handed_over + sum(counters.dropped.values()) + self.link.queued()
        assert counters.sent == fates
