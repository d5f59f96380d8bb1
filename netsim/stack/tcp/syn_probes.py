"""SYNs that open nothing: the probes of `traceroute -T`, each from a port of its own.

They belong to no connection, as with a raw socket of a kernel: a SYN-ACK is told to whoever
asked, and answered with RST, so that the target keeps no connection either.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final, NamedTuple

from netsim.core.time import MILLISECOND
from netsim.stack.interface import Interface
from netsim.stack.tcp.connection import Shared
from netsim.stack.tcp.ephemeral_ports import ephemeral_port
from netsim.stack.tcp.seq import MASK
from netsim.stack.tcp.transmitter import PROTOCOL
from netsim.wire import icmp
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.tcp import SYN, TcpSegment

_MSS: Final = 1460
_SCALE: Final = 7
_WINDOW: Final = 64_240
_INBOX: Final = 1_000


class SynAnswer(NamedTuple):
    """What came back for the probe from our port `port`."""

    port: int
    source: bytes | None
    """Who answers, or reports an error; None when it is this host."""
    error: icmp.IcmpMessage | None
    """None for a SYN-ACK or a reset."""
    now: int


class SynProbe:
    """Sends probes and collects what comes back. Close it when done."""

    def __init__(self, probes: SynProbes) -> None:
        self._probes = probes
        self.inbox: deque[SynAnswer] = deque()
        """Oldest first; reading is popping. What comes to a full one is lost, and counted."""

    def send(
        self,
        destination: bytes,
        port: int,
        now: int,
        *,
        ttl: int,
        source: bytes | None = None,
        through: Interface | None = None,
    ) -> int:
        """Send a SYN of 60 octets, as Linux's are; our port. SocketError as of IP.

        `through` is the only interface that it may leave by.
        """
        return self._probes.send(self, destination, port, now, ttl, source, through)

    def close(self) -> None:
        """Give its ports back."""
        self._probes.forget(self)


class SynProbes:
    """All of one host, by our port."""

    def __init__(self, shared: Shared, random: Random) -> None:
        self._shared = shared
        self._random = random
        self._ports: dict[int, SynProbe] = {}

    def send(
        self,
        probe: SynProbe,
        destination: bytes,
        port: int,
        now: int,
        ttl: int,
        source: bytes | None,
        through: Interface | None,
    ) -> int:
        shared = self._shared
        source = source or shared.ip.source_for(destination)
        taken = {connection.local[1] for connection in shared.connections.values()}
        taken.update(self._ports)
        ours = ephemeral_port(self._random, lambda candidate: candidate not in taken)
        segment = TcpSegment(
            *(ours, port, self._random.getrandbits(32), 0, SYN, _WINDOW),
            mss=_MSS,
            window_scale=_SCALE,
            sack_permitted=True,
            timestamp=now // MILLISECOND & MASK,
        )
        data = segment.pack(pseudo_header_sum(source, destination, PROTOCOL))
        shared.counters.segments_out += 1
        shared.ip.send(PROTOCOL, source, destination, data, now, ttl=ttl, through=through)
        self._ports[ours] = probe
        return ours

    def forget(self, probe: SynProbe) -> None:
        self._ports = {port: other for port, other in self._ports.items() if other is not probe}
        self._shared.ready.pop(probe, None)

    def hear(self, answer: SynAnswer) -> bool:
        """Something came to a port where nothing listens; whether it was asked for."""
        probe = self._ports.get(answer.port)
        if probe is None:
            return False
        if len(probe.inbox) >= _INBOX:
            self._shared.drop("tcp-probe-inbox")
            return True
        probe.inbox.append(answer)
        self._shared.ready[probe] = None
        return True
