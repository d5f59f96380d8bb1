"""A learning switch (IEEE 802.1D-2004 7.7–7.9, without spanning tree)."""

from __future__ import annotations

from collections import Counter
from typing import Final

from netsim.node.base_node import Node
from netsim.node.port import Port
from netsim.switching.mac_table import MacTable
from netsim.wire.ethernet import HEADER_LENGTH

_RESERVED: Final = b"\x01\x80\xc2\x00\x00"
"""01-80-C2-00-00-00 to -0F: link-local protocols, never forwarded (IEEE 802.1D 7.12.6)."""


class Switch(Node):
    """Learns which station is behind which port, forwards to it, floods what it does not know."""

    def __init__(self, name: str, ports: list[Port]) -> None:
        super().__init__(name, ports)
        self.table = MacTable()
        self.flooded = 0
        self._drops: Counter[str] = Counter()

    def receive_frame(self, port: Port, frame: bytes, now: int) -> None:
        """Learn the source, forward or flood by the destination."""
        if len(frame) < HEADER_LENGTH:
            self._drops["ethernet-truncated"] += 1
            return
        if frame[6] & 1:
            self._drops["group-source"] += 1
            return
        self.table.learn(frame[6:12], port.index, now)
        if not frame[0] & 1:
            index = self.table.lookup(frame[:6], now)
            if index is not None:
                if index == port.index:
                    # The station is on the side the frame came from: it has it already.
                    self._drops["same-port"] += 1
                    return
                egress = self.ports[index]
                egress.transmit(frame, now)
                self.sending[egress] = None
                return
        elif frame[:5] == _RESERVED and frame[5] < 0x10:
            self._drops["reserved-group"] += 1
            return
        self.flooded += 1
        for egress in self.ports:
            if egress is not port and egress.up:
                egress.transmit(frame, now)
                self.sending[egress] = None

    @property
    def has_output(self) -> bool:
        """False: no program runs on a switch."""
        return False

    def flush(self, now: int) -> None:
        """No program runs on a switch."""

    @property
    def drops(self) -> Counter[str]:
        """Frames that were not forwarded, by reason."""
        return self._drops

    def carrier_changed(self, port: Port, now: int) -> None:
        """Stations behind a dead port are forgotten, so that frames to them are flooded."""
        if not port.up:
            self.table.flush_port(port.index)
