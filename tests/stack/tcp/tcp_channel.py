"""Two Tcps joined by a channel that a test commands; time is virtual, nothing else moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import Any

from netsim.core.time import MILLISECOND
from netsim.stack.interface import Interface
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_layer import Tcp
from netsim.stack.timers import Timers
from netsim.wire.ipv4 import Ipv4Header

Fate = list[int]
"""When each copy of a packet arrives, in ns after it left; empty for a lost one."""
Owner = Callable[[], int | None]
"""An end's program: called whenever something happened; returns after how many ns it wants to be
called in any case, or None."""

ADDRESSES = (bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2)))


class End:
    """One host: its Tcp, and the IP layer beneath."""

    def __init__(self, channel: Channel, index: int, settings: TcpSettings, mtu: int) -> None:
        self._channel = channel
        self._index = index
        self._mtu = mtu
        self.address = ADDRESSES[index]
        self.timers = Timers()
        self.ready: dict[Any, None] = {}
        self.drops: list[str] = []
        self.tcp = Tcp(
            self, self.timers, Random(index), self.ready, self.drops.append, settings=settings
        )
        self.owner: Owner = lambda: None
        self.wake_at: int | None = None

    def send(
        self,
        protocol: int,
        source: bytes,
        destination: bytes,
        payload: bytes,
        now: int,
        *,
        ttl: int = 64,
        tos: int = 0,
        through: Interface | None = None,
    ) -> None:
        assert len(payload) + 20 <= self._mtu
        self._channel.carry(1 - self._index, payload)

    def source_for(self, destination: bytes) -> bytes:
        return self.address

    def mtu_to(self, destination: bytes) -> int:
        return self._mtu

    def is_broadcast(self, address: bytes) -> bool:
        return False


class Channel:
    """Carries packets between two ends; `fates` says what happens to each, in turn, and after
    those every packet takes a millisecond."""

    def __init__(
        self,
        fates: Iterator[Fate],
        settings: tuple[TcpSettings, TcpSettings],
        mtu: int = 1500,
    ) -> None:
        self.now = 0
        self._fates = fates
        self._flying: list[tuple[int, int, int, bytes]] = []
        self._carried = 0
        self.ends = (End(self, 0, settings[0], mtu), End(self, 1, settings[1], mtu))

    def carry(self, to: int, packet: bytes) -> None:
        for delay in next(self._fates, [MILLISECOND]):
            self._carried += 1
            heappush(self._flying, (self.now + delay, self._carried, to, packet))

    @property
    def carried(self) -> int:
        return self._carried

    def run(self, until: int) -> None:
        """Let everything happen; ends early when nothing is left to happen."""
        self._settle()
        while True:
            dues = [due for end in self.ends if (due := end.timers.next_due()) is not None]
            dues += [end.wake_at for end in self.ends if end.wake_at is not None]
            if self._flying:
                dues.append(self._flying[0][0])
            if not dues or min(dues) > until:
                return
            self.now = max(self.now, *[min(dues)])
            while self._flying and self._flying[0][0] <= self.now:
                _, _, to, packet = heappop(self._flying)
                end = self.ends[to]
                header = Ipv4Header(0, 0, 0, 0, 64, 6, ADDRESSES[1 - to], ADDRESSES[to])
                end.tcp.receive(header, packet, self.now)
            for end in self.ends:
                end.timers.fire(self.now)
            self._settle()

    def _settle(self) -> None:
        for end in self.ends:
            end.ready.clear()
            again = end.owner()
            end.wake_at = None if again is None else self.now + again
            end.tcp.flush(self.now)
