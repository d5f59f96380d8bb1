"""The subject of a dialogue as the kernel of a namespace, in real time: a TAP device for each.

Run inside the namespace: `python -m kernel_subject FIRST NAME…` plays these dialogues side by side
and prints what was heard, by name, as JSON. Their subnets, each for one, are numbered from FIRST.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from buffer_dialogues import BUFFER_DIALOGUES
from dialogues import DIALOGUES
from raw_dialogue import PEER_MAC, PEER_PORT, PORT, SUBJECT_MAC, Dialogue

from netsim.realtime.tap_device import TapDevice, open_tap

AT_ONCE: Final = 16
"""Dialogues; the threads of more would keep each other waiting."""


class KernelSubject(Dialogue):
    """The kernel at one TAP device, in a subnet of that device's own."""

    def __init__(self, number: int) -> None:
        super().__init__(peer=bytes((10, 7, number, 2)), subject=bytes((10, 7, number, 1)))
        name = f"talk{number}"
        self._device = TapDevice(open_tap(name))
        self._peer_text, self._subject_text = map(socket.inet_ntoa, (self.peer, self.subject))
        for words in (
            f"link set {name} address {SUBJECT_MAC.hex(':')}",
            f"addr add {self._subject_text}/24 dev {name}",
            f"link set {name} up",
            f"neigh replace {self._peer_text} lladdr {PEER_MAC.hex(':')} dev {name}",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        self._started = time.monotonic()

    def start(self) -> None:
        """The time begins now; what the kernel has said before (it looks for routers) is over."""
        while any(True for _ in self._device.frames()):
            pass
        self._started = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._started

    def wait(self, seconds: float) -> None:
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            # Not longer at once: the threads of many dialogues share one interpreter.
            if select.select([self._device.descriptor], [], [], left)[0]:
                at = self.now()
                for frame in self._device.frames():
                    self.hear(frame, at)

    def put(self, frame: bytes) -> None:
        self._device.write(frame)

    def listen(self) -> None:
        self._listener = socket.socket()
        self._listener.setblocking(False)
        self._listener.bind((self._subject_text, PORT))
        self._listener.listen(8)

    def accept(self) -> None:
        try:
            self._socket, _ = self._listener.accept()
        except BlockingIOError:
            self.note("nothing to accept")
        else:
            self._socket.setblocking(False)

    def connect(self) -> None:
        self.act()
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.connect_ex((self._peer_text, PEER_PORT))

    def write(self, count: int) -> None:
        self.act()
        with contextlib.suppress(OSError):
            self._socket.send(bytes(count))

    def fill(self) -> int:
        self.act()
        octets = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                octets += self._socket.send(bytes(65536))
        return octets

    def is_writable(self) -> bool:
        return bool(select.select([], [self._socket], [], 0)[1])

    def read(self) -> int:
        with contextlib.suppress(OSError):
            return len(self._socket.recv(1 << 20))
        return 0

    def shutdown(self) -> None:
        self.act()
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.act()
        self._socket.close()

    def set_no_delay(self) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def set_linger(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def set_send_buffer(self, octets: int) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, octets)

    def keep_alive(self, idle: int, interval: int, probes: int) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("IDLE", idle), ("INTVL", interval), ("CNT", probes)):
            self._socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_KEEP{option}"), value)

    def round_trip(self) -> tuple[float, float]:
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        timeout, trip = (struct.unpack_from("=I", info, at)[0] / 1000 for at in (8, 68))
        return trip, timeout

    def error(self) -> str:
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode[number] if number else ""


def play(name: str, number: int) -> Any:
    """What is heard in one dialogue; text where it could not be played."""
    try:
        subject = KernelSubject(number)
        subject.wait(0.3)
        subject.heard.clear()
        subject.start()
        (DIALOGUES | BUFFER_DIALOGUES)[name](subject)
        return subject.heard
    except Exception:  # noqa: BLE001  # told to whoever asked
        return traceback.format_exc()


if __name__ == "__main__":
    first, *names = sys.argv[1:]
    numbers = range(int(first), int(first) + len(names))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        heard = list(pool.map(play, names, numbers))
    json.dump(dict(zip(names, heard, strict=True)), sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # sockets that were left open say no more than they have
