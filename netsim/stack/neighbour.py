"""The neighbours on one interface, resolved by ARP (RFC 826, RFC 1122 2.3.2).

The states and times are those of Linux, which gives ARP the neighbour unreachability detection
of IPv6 (RFC 4861 7.3). An entry is confirmed by a reply; after `REACHABLE` it is stale, is still
used, and is probed by unicast when it has been used for `DELAY`. No answer to `PROBES` questions
and the neighbour has failed: what waits for it is handed back as unreachable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from operator import itemgetter
from random import Random
from typing import Final

from netsim.core.time import SECOND
from netsim.stack.interface import Interface
from netsim.stack.timers import Timer, Timers
from netsim.wire import arp, ethernet
from netsim.wire.address import (
    BROADCAST_MAC,
    UNSPECIFIED,
    IpAddress,
    MacAddress,
    is_multicast_mac,
)

REACHABLE: Final = 30 * SECOND
"""Base of the reachable time, randomised to 0.5–1.5 of it (RFC 4861 6.3.2)."""
DELAY: Final = 5 * SECOND
RETRANSMIT: Final = 1 * SECOND
"""Between two questions: RFC 1122 2.3.2.1 asks for at most one a second."""
PROBES: Final = 3
QUEUE_LIMIT: Final = 101
"""Packets that wait for one resolution, as in Linux; RFC 1122 2.3.2.2 asks for at least one."""
TABLE_LIMIT: Final = 1024
"""Entries; the Linux default of gc_thresh3."""
_RANKED: Final = 128
"""Entries that one look at a full table finds dispensable: a flood must not search it anew for
every packet."""

_NO_MAC: Final = b"\x00" * 6
_IN_DOUBT: Final = 1 << 62
"""ns: there is nothing to look at when it is used."""


class State(Enum):
    """What is known of a neighbour (RFC 4861 7.3.2)."""

    INCOMPLETE = "INCOMPLETE"
    REACHABLE = "REACHABLE"
    STALE = "STALE"
    DELAY = "DELAY"
    PROBE = "PROBE"
    FAILED = "FAILED"


class Neighbour:
    """One entry. `header` is the Ethernet header towards it, None while its MAC is unknown."""

    __slots__ = ("address", "fresh_until", "header", "mac", "probes", "state", "timer", "waiting")

    def __init__(self, address: IpAddress, timer: Timer) -> None:
        self.address = address
        self.state = State.INCOMPLETE
        self.mac: MacAddress | None = None
        self.header: bytes | None = None
        self.fresh_until = 0
        """A use from then on makes it doubtful; `_IN_DOUBT` while it is so already."""
        self.probes = 0
        self.waiting: deque[bytes] = deque()
        self.timer = timer

    def state_at(self, now: int) -> State:
        """The state as people see it: an entry goes stale by itself, without an event."""
        if self.state is State.REACHABLE and now >= self.fresh_until:
            return State.STALE
        return self.state


class NeighbourCache:
    """Resolves next hops on one interface.

    Frames go into `outbox`; `unreachable` takes the IP packets that wait when a neighbour fails.
    """

    def __init__(
        self,
        interface: Interface,
        timers: Timers,
        random: Random,
        outbox: list[tuple[Interface, bytes]],
        unreachable: Callable[[bytes, int], None],
        count: Callable[[str], None],
    ) -> None:
        self._interface = interface
        self._timers = timers
        self._random = random
        self._outbox = outbox
        self._unreachable = unreachable
        self._count = count
        self._entries: dict[IpAddress, Neighbour] = {}
        self._dispensable: list[tuple[int, Neighbour]] = []
        """(worth, entry) as found by the last look at the full table, least worth last."""

    def entries(self) -> list[Neighbour]:
        """Every entry, in order of first use."""
        return list(self._entries.values())

    def header_for(self, address: IpAddress, now: int) -> bytes | None:
        """The Ethernet header of frames to `address`; None while it has to be resolved."""
        entry = self._entries.get(address)
        if entry is None or entry.header is None:
            return None
        if now >= entry.fresh_until:
            self._use_stale(entry, now)
        return entry.header

    def send(self, address: IpAddress, packet: bytes, now: int) -> None:
        """Transmit an IP packet to the neighbour, or keep it until the neighbour is resolved."""
        header = self.header_for(address, now)
        if header is not None:
            self._outbox.append((self._interface, header + packet))
            return
        entry = self._entries.get(address) or self._add(address, now)
        if entry.state is not State.INCOMPLETE:
            entry.state = State.INCOMPLETE
            entry.probes = 0
        if len(entry.waiting) >= QUEUE_LIMIT:
            entry.waiting.popleft()
            self._count("neighbour-queue")
        entry.waiting.append(packet)
        if entry.timer.due is None:
            self._probe(entry, now)

    def receive(self, packet: arp.ArpPacket, now: int) -> None:
        """Learn from an ARP packet and answer a question about one of our own addresses."""
        if (
            is_multicast_mac(packet.sender_mac)
            or packet.sender_mac == _NO_MAC
            or packet.sender[0] == 127
            or packet.sender[0] >= 0xE0
            or any(packet.sender == entry.broadcast for entry in self._interface.addresses)
        ):
            # No single station has such an address, so nobody may claim it.
            self._count("arp-martian")
            return
        own = {entry.address for entry in self._interface.addresses}
        if packet.sender in own:
            # RFC 5227 2.4: somebody else claims our address. We keep it and say so.
            self._count("arp-conflict")
            return
        # RFC 826 "packet reception": update what is known; add only if the packet is for us.
        is_for_us = packet.target in own
        entry = self._entries.get(packet.sender)
        if entry is None and is_for_us and packet.sender != UNSPECIFIED:
            entry = self._add(packet.sender, now)
        if entry is not None:
            is_answer = packet.operation == arp.REPLY and is_for_us
            self._learn(entry, packet.sender_mac, is_answer, now)
        if packet.operation == arp.REQUEST and is_for_us:
            self._send_arp(arp.REPLY, packet.target, packet.sender_mac, packet.sender)

    def forget(self, address: IpAddress) -> None:
        """Remove an entry, as a person asks. What waited for it is lost and counted."""
        self._remove(self._entries[address])

    def flush(self) -> None:
        """Forget everything, as on loss of carrier. What waited is lost and counted."""
        for entry in self._entries.values():
            entry.timer.retire()
            for _ in entry.waiting:
                self._count("carrier")
        self._entries.clear()

    def _add(self, address: IpAddress, now: int) -> Neighbour:
        if len(self._entries) >= TABLE_LIMIT:
            self._evict(now)
        entry = Neighbour(address, Timer(self._timers, lambda now: self._expire(entry, now)))
        self._entries[address] = entry
        return entry

    def _evict(self, now: int) -> None:
        """Make room: the entry that is missed least, of those the oldest."""
        while True:
            if not self._dispensable:
                ranked = sorted(
                    ((_worth(entry, now), entry) for entry in self._entries.values()),
                    key=itemgetter(0),
                )
                self._dispensable = ranked[:_RANKED][::-1]
            worth, victim = self._dispensable.pop()
            known = self._entries.get(victim.address) is victim
            if known and _worth(victim, now) <= worth:
                break
        self._remove(victim)

    def _remove(self, entry: Neighbour) -> None:
        entry.timer.retire()
        for _ in entry.waiting:
            self._count("neighbour-table")
        del self._entries[entry.address]

    def _learn(self, entry: Neighbour, mac: MacAddress, is_answer: bool, now: int) -> None:
        moved = entry.mac is not None and entry.mac != mac
        entry.mac = mac
        entry.header = ethernet.pack_header(mac, self._interface.mac, ethernet.ETHERTYPE_IPV4)
        if is_answer:
            entry.state = State.REACHABLE
            entry.fresh_until = now + int(REACHABLE * (0.5 + self._random.random()))
            entry.timer.stop()
        elif moved or entry.state in (State.INCOMPLETE, State.FAILED):
            # RFC 4861 7.2.3: an unsolicited claim is believed but not confirmed.
            entry.state = State.STALE
            entry.fresh_until = now
            entry.timer.stop()
        if entry.waiting and entry.state is State.STALE:
            self._use_stale(entry, now)
        while entry.waiting:
            self._outbox.append((self._interface, entry.header + entry.waiting.popleft()))

    def _use_stale(self, entry: Neighbour, now: int) -> None:
        if entry.state in (State.REACHABLE, State.STALE):
            entry.state = State.DELAY
            entry.fresh_until = _IN_DOUBT
            entry.probes = 0
            entry.timer.start(now + DELAY)

    def _expire(self, entry: Neighbour, now: int) -> None:
        if entry.state is State.DELAY:
            entry.state = State.PROBE
        if entry.probes < PROBES:
            self._probe(entry, now)
            return
        entry.state = State.FAILED
        entry.mac = entry.header = None
        waiting, entry.waiting = entry.waiting, deque()
        for packet in waiting:
            self._unreachable(packet, now)

    def _probe(self, entry: Neighbour, now: int) -> None:
        entry.probes += 1
        entry.timer.start(now + RETRANSMIT)
        source = self._source_towards(entry.address)
        if source is None:
            self._count("arp-no-source")
            return
        self._send_arp(arp.REQUEST, source, entry.mac or _NO_MAC, entry.address)

    def _source_towards(self, address: IpAddress) -> IpAddress | None:
        """Our address in the neighbour's subnet, else our first one (RFC 1122 2.3.2)."""
        mine = self._interface.addresses
        for candidate in mine:
            if candidate.contains(address):
                return candidate.address
        return mine[0].address if mine else None

    def _send_arp(
        self, operation: int, sender: IpAddress, target_mac: MacAddress, target: IpAddress
    ) -> None:
        mac = self._interface.mac
        destination = BROADCAST_MAC if target_mac == _NO_MAC else target_mac
        packet = arp.ArpPacket(operation, mac, sender, target_mac, target)
        header = ethernet.pack_header(destination, mac, ethernet.ETHERTYPE_ARP)
        self._outbox.append((self._interface, header + packet.pack()))


def _worth(entry: Neighbour, now: int) -> int:
    """Failed entries say nothing; those in use, and those somebody waits for, go last."""
    state = entry.state_at(now)
    if state is State.FAILED:
        return 0
    if state is State.STALE:
        return 1
    return 3 if entry.waiting else 2
