"""The MAC table of a switch: which station was last heard on which port (IEEE 802.1Q 8.8)."""

from __future__ import annotations

from typing import Final, NamedTuple

from netsim.core.time import SECOND
from netsim.wire.address import MacAddress, is_multicast_mac

AGEING_TIME: Final = 300 * SECOND
"""IEEE 802.1Q table 8-3, the recommended default."""
CAPACITY: Final = 8192
"""Stations; small real switches have as many."""


class Station(NamedTuple):
    """A row for people: address, port, and ns since the station was last heard."""

    mac: MacAddress
    port: int
    age_ns: int


class _Entry:
    __slots__ = ("heard", "port")

    def __init__(self, port: int, heard: int) -> None:
        self.port = port
        self.heard = heard


class MacTable:
    """Learns where stations are, forgets those that fall silent, and never grows past `capacity`.

    `moved` counts stations that turned up on another port while known, `refused` those that were
    not learned because the table was full.
    """

    __slots__ = ("_ageing", "_capacity", "_entries", "_expiry", "moved", "refused")

    def __init__(self, capacity: int = CAPACITY, ageing: int = AGEING_TIME) -> None:
        self._capacity = capacity
        self._ageing = ageing
        self._entries: dict[MacAddress, _Entry] = {}
        self._expiry = 0
        """No entry expires before this, so until then a full table need not be searched."""
        self.moved = 0
        self.refused = 0

    def learn(self, mac: MacAddress, port_index: int, now: int) -> None:
        """A frame from `mac` came in on a port."""
        entry = self._entries.get(mac)
        if entry is None:
            self._learn_new(mac, port_index, now)
            return
        if entry.port != port_index:
            if now - entry.heard < self._ageing:
                self.moved += 1
            entry.port = port_index
        entry.heard = now

    def lookup(self, mac: MacAddress, now: int) -> int | None:
        """The port behind which the station is; None when it is unknown, and frames flood."""
        entry = self._entries.get(mac)
        if entry is None:
            return None
        if now - entry.heard < self._ageing:
            return entry.port
        del self._entries[mac]
        return None

    def flush_port(self, index: int) -> None:
        """Forget every station behind a port: it lost its carrier."""
        self._entries = {mac: entry for mac, entry in self._entries.items() if entry.port != index}

    def entries(self, now: int) -> list[Station]:
        """The stations known at `now`, in the order in which they were first heard."""
        return [
            Station(mac, entry.port, age)
            for mac, entry in self._entries.items()
            if (age := now - entry.heard) < self._ageing
        ]

    def _learn_new(self, mac: MacAddress, port_index: int, now: int) -> None:
        # IEEE 802.1Q 8.7: a group address as source is nobody's.
        if is_multicast_mac(mac):
            return
        if len(self._entries) >= self._capacity:
            self._expire(now)
            if len(self._entries) >= self._capacity:
                self.refused += 1
                return
        self._entries[mac] = _Entry(port_index, now)

    def _expire(self, now: int) -> None:
        """Forget the stations that have been silent for too long."""
        if now < self._expiry:
            return
        earliest = now - self._ageing
        self._entries = {
            mac: entry for mac, entry in self._entries.items() if entry.heard > earliest
        }
        oldest = min((entry.heard for entry in self._entries.values()), default=now)
        self._expiry = oldest + self._ageing
