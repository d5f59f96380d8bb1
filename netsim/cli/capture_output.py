"""Where a capture goes: lines, or a file that may have no room for all of it."""

from __future__ import annotations

import errno
import os
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import IO, Final

from netsim.cli.printing import print_json_line, say
from netsim.core.printable import printable
from netsim.observe import pcapng
from netsim.observe.frame_lines import FrameLines
from netsim.observe.pcapng import Packet, Statistics, read_block
from netsim.observe.tap import Direction

_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WAYS: Final = {Direction.INBOUND: "In ", Direction.OUTBOUND: "Out"}


class Output(ABC):
    """Takes the blocks of a capture as they come, and counts."""

    def __init__(self) -> None:
        self.interfaces: list[str] = []
        self.captured = 0
        """Packets that are printed or written."""
        self.lost = 0
        """Those that the network had to let go because they were not taken in time."""

    @abstractmethod
    def take(self, blocks: Sequence[bytes]) -> None:
        """Print or write them."""

    def summary(self) -> list[str]:
        """What has become of the packets, for a person."""
        return [_packets(self.captured, "captured"), _packets(self.lost, "dropped")]


class Lines(Output):
    """A line for each packet, or a JSON document; times are the network's."""

    def __init__(self, words: FrameLines, epoch_ns: int, as_json: bool) -> None:
        super().__init__()
        self._words = words
        self._epoch_ns = epoch_ns
        self._as_json = as_json

    def take(self, blocks: Sequence[bytes]) -> None:
        for block in blocks:
            match read_block(block):
                case Packet() as packet:
                    self.captured += 1
                    self._print(packet)
                case Statistics() as statistics:
                    self.lost += statistics.dropped
                case str(interface):
                    self.interfaces.append(interface)
        sys.stdout.flush()

    def _print(self, packet: Packet) -> None:
        time_ns = packet.timestamp_ns - self._epoch_ns
        interface = self.interfaces[packet.number]
        words = self._words.words(packet.frame)
        if self._as_json:
            print_json_line(
                {
                    "time_ns": time_ns,
                    "interface": interface,
                    "direction": packet.direction.name.lower(),
                    "dropped": packet.dropped or None,
                    "length": len(packet.frame),
                    "text": words,
                    "frame": packet.frame.hex(),
                }
            )
            return
        where = f"{interface} {_WAYS[packet.direction]} " if len(self.interfaces) > 1 else ""
        fate = f" [dropped: {packet.dropped}]" if packet.dropped else ""
        first, *more = words.split("\n")
        sys.stdout.write(f"{time_ns / 1e9:.6f} {where}{first}")
        sys.stdout.write("".join(f"\n{line}" for line in more) + f"{fate}\n")
        sys.stdout.write(self._words.bytes_of(packet.frame))


class CaptureFile(Output):
    """A pcapng file. What a full disk does not take is left out and counted; blocks stay whole."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        super().__init__()
        self._descriptor = file.fileno()
        self._name = name
        self._is_regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
        self._position = 0
        self._is_full = False
        self._left_out: dict[int, int] = {}
        """By interface: packets that the disk had no room for."""

    def take(self, blocks: Sequence[bytes]) -> None:
        together = b"".join(blocks)
        has_room = not self._is_full and self._write(together)
        for block in blocks:
            match read_block(block):
                case Packet(number=number):
                    if has_room or self._write(block):
                        self.captured += 1
                    else:
                        self._left_out[number] = self._left_out.get(number, 0) + 1
                case Statistics(number=number, timestamp_ns=at, dropped=dropped):
                    self.lost += dropped
                    if not has_room:
                        dropped += self._left_out.get(number, 0)
                        self._write(pcapng.statistics(number, at, dropped))
                case described:
                    if isinstance(described, str):
                        self.interfaces.append(described)
                    if not has_room and not self._write(block):
                        # Without it nothing that follows could be read.
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._name)

    def summary(self) -> list[str]:
        left_out = sum(self._left_out.values())
        words = [_packets(self.captured, "captured"), _packets(self.lost + left_out, "dropped")]
        if left_out:
            words[-1] += f": for {left_out} of them {printable(self._name)} had no room"
        return words

    def _write(self, data: bytes) -> bool:
        """Whether there was room; else the file ends where it did."""
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, memoryview(data)[written:])
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            if self._is_regular:
                os.ftruncate(self._descriptor, self._position)
                os.lseek(self._descriptor, self._position, os.SEEK_SET)
            if not self._is_full:
                self._is_full = True
                say(
                    f"netsim: {printable(self._name)}: {error.strerror}; packets that it has no "
                    "room for are dropped, and the capture goes on",
                    err=True,
                )
            return False
        self._position += written
        return True


def _packets(number: int, what: str) -> str:
    return f"{number} packet{'s' * (number != 1)} {what}"
