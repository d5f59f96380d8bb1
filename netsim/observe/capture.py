"""A tap that writes what it sees to a pcapng file."""

from __future__ import annotations

from typing import BinaryIO

from netsim.observe.pcapng import PcapngWriter
from netsim.observe.tap import Direction


class PcapngTap:
    """Writes every frame to a binary file, describing each interface when it is first seen.

    `epoch_ns` is the wall time at which network time was zero, in ns since the Unix epoch.
    """

    def __init__(self, file: BinaryIO, *, hostname: str, epoch_ns: int) -> None:
        self._writer = PcapngWriter(file, hostname=hostname)
        self._epoch_ns = epoch_ns
        self._interfaces: dict[str, int] = {}
        self.written = 0
        """Frames written."""

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        interface_id = self._interfaces.get(interface)
        if interface_id is None:
            interface_id = self._writer.add_interface(interface)
            self._interfaces[interface] = interface_id
        self._writer.write(interface_id, self._epoch_ns + time_ns, frame, direction)
        self.written += 1
