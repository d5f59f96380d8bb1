"""The subject of a dialogue as a simulated computer, in virtual time."""

from __future__ import annotations

import errno
from collections.abc import Callable

from raw_dialogue import PEER_PORT, PORT, SUBJECT_MAC, Dialogue

from netsim.core.streams import RandomStreams
from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.host import Host
from netsim.stack.interface import Interface, InterfaceAddress
from netsim.stack.tcp.settings import KeepAlive, TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket


class SimulatedSubject(Dialogue):
    """Everything happens at once; only `wait` takes time."""

    def __init__(self, header_room: int = 192) -> None:
        super().__init__(peer=bytes((10, 7, 0, 2)), subject=bytes((10, 7, 0, 1)))
        self._now = 0
        address = InterfaceAddress(self.subject, 24)
        self._interface = Interface(0, "eth0", SUBJECT_MAC, (address,))
        settings = TcpSettings(congestion="reno", header_room=header_room)
        self._host = Host([self._interface], RandomStreams(1), tcp_settings=settings)

    def now(self) -> float:
        return self._now / SECOND

    def wait(self, seconds: float) -> None:
        until = self._now + int(seconds * SECOND)
        self._collect()
        while (due := self._host.next_timer()) is not None and due <= until:
            self._now = max(self._now, due)
            self._host.handle_timer(self._now)
            self._collect()
        self._now = until

    def put(self, frame: bytes) -> None:
        self._collect()
        self._host.receive_frame(self._interface, frame, self._now)
        self._collect()

    def _collect(self) -> None:
        self._host.flush(self._now)
        while self._host.outbox:
            frames = [frame for _, frame in self._host.outbox]
            self._host.outbox.clear()
            for frame in frames:
                self.hear(frame, self.now())

    def listen(self) -> None:
        self._listener = self._host.tcp.listen(None, PORT, backlog=8)

    def accept(self) -> None:
        accepted = self._listener.accept()
        if accepted is None:
            self.note("nothing to accept")
        else:
            self._socket: TcpSocket = accepted

    def connect(self) -> None:
        self.act()
        self._socket = self._host.tcp.connect((self.peer, PEER_PORT), self._now)
        self._collect()

    def write(self, count: int) -> None:
        self._do(lambda: self._socket.send(bytes(count)))

    def fill(self) -> int:
        octets = 0
        while room := min(self._socket.send_room, 65536):
            octets += room
            self.write(room)
        return octets

    def is_writable(self) -> bool:
        return self._socket.makes_room()

    def read(self) -> int:
        octets = len(self._socket.receive())
        self._collect()
        return octets

    def shutdown(self) -> None:
        self._do(self._socket.shutdown)

    def close(self) -> None:
        self._do(self._socket.close)

    def set_no_delay(self) -> None:
        self._socket.no_delay = True

    def set_linger(self) -> None:
        self._socket.linger_reset = True

    def set_send_buffer(self, octets: int) -> None:
        self._socket.fix_send_buffer(octets)

    def keep_alive(self, idle: int, interval: int, probes: int) -> None:
        self._socket.set_keep_alive(KeepAlive(idle * SECOND, interval * SECOND, probes))
        self._collect()

    def round_trip(self) -> tuple[float, float]:
        known = self._socket.sender.round_trip
        return known.smoothed / MILLISECOND, known.timeout / MILLISECOND

    def error(self) -> str:
        number = self._socket.error
        return errno.errorcode[number] if number else ""

    def _do(self, call: Callable[[], None]) -> None:
        self.act()
        call()
        self._collect()
