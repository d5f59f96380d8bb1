"""Networks in memory for tests: what tests do on them, and the accounts checked afterwards."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from frames_seen import FramesSeen
from memory_network import MemoryNetwork
from plans import chain

from netsim.core.time import SECOND
from netsim.observe.tap import Direction
from netsim.stack.icmp_layer import EchoError, EchoReply
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.topology.plan import NetworkPlan

PORT = 80
BUFFER = 65536


@contextmanager
def running(plan: NetworkPlan) -> Iterator[MemoryNetwork]:
    """A network whose every frame is accounted for at the end."""
    network = MemoryNetwork(plan)
    yield network
    check_accounts(network)


def check_accounts(network: MemoryNetwork) -> None:
    """sent + duplicated = delivered + dropped by reason + in flight, for each direction."""
    accounts = network.accounts()
    assert len(accounts) == 2 * len(network.plan.links)
    for account in accounts.values():
        account.check()
        assert account.in_flight >= 0


def ping(
    network: MemoryNetwork, source: str, destination: str, *, size: int = 56, ttl: int = 64
) -> tuple[EchoReply | EchoError, int] | None:
    """What comes back within 10 s, and after how many ns; None when nothing does."""
    host = network.host(source)
    socket = host.icmp.open_echo(77)
    asked = network.now
    socket.send(network.plan.hosts[destination], 1, bytes(size), network.now, ttl=ttl)
    network.run_for(10 * SECOND, lambda: bool(socket.inbox))
    socket.close()
    if not socket.inbox:
        return None
    (back,) = socket.inbox
    return back, back.now - asked


class Transfer:
    """Sends `data` one way over TCP and half-closes; the other end reads and closes."""

    def __init__(self, network: MemoryNetwork, source: str, destination: str, data: bytes) -> None:
        self._network = network
        self._hosts = (network.host(source), network.host(destination))
        self._left = memoryview(data)
        self.received = bytearray()
        self.finished = False
        self._listener = self._hosts[1].tcp.listen(None, PORT)
        address = network.plan.hosts[destination]
        self.sender = self._hosts[0].tcp.connect((address, PORT), network.now)
        self.receiver: TcpSocket | None = None

    def run(self, limit: int) -> bytes:
        """Let it happen for at most `limit` ns; the bytes that arrived."""
        network, hosts = self._network, self._hosts
        end = network.now + limit
        while not self.finished and network.now < end:
            for host in hosts:
                host.ready.clear()
            self._act()
            network.run_until(end, lambda: any(host.ready for host in hosts))
        return bytes(self.received)

    def _act(self) -> None:
        sender = self.sender
        if sender.connected and self._left:
            room = BUFFER - sender.buffered_bytes
            if room > 0:
                sender.send(bytes(self._left[:room]))
                self._left = self._left[room:]
        if sender.connected and not self._left:
            sender.shutdown()
        if self.receiver is None:
            self.receiver = self._listener.accept()
        if self.receiver is not None:
            self.received += self.receiver.receive()
            if self.receiver.at_eof:
                self.receiver.shutdown()
        self.finished = sender.closed


def watch(network: MemoryNetwork) -> FramesSeen:
    """A tap on every port, which names it `node/interface`."""
    ring = FramesSeen()
    for node in network.nodes.values():
        for port in node.ports:
            port.taps.append(_Named(ring, node.name))
    return ring


def fingerprint(ring: FramesSeen) -> str:
    """A hash of every frame, when and where it passed."""
    digest = hashlib.sha256()
    for row in ring.frames:
        digest.update(f"{row.time_ns} {row.interface} {row.direction:d} ".encode())
        digest.update(row.frame)
    return digest.hexdigest()


def busy_trace(seed: int) -> str:
    """The fingerprint of pings and a transfer over links that do everything to frames."""
    attributes = (
        "delay=3ms jitter=2ms loss=2% duplicate=3% reorder=5% corrupt=1% bandwidth=20mbit queue=20"
    )
    with running(chain(attributes, seed)) as network:
        ring = watch(network)
        for _ in range(3):
            ping(network, "web", "alice")
        transfer = Transfer(network, "alice", "web", bytes(range(256)) * 200)
        transfer.run(300 * SECOND)
        assert transfer.finished
        return fingerprint(ring)


class _Named:
    def __init__(self, ring: FramesSeen, node: str) -> None:
        self._ring = ring
        self._node = node

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        self._ring.frame_passed(time_ns, f"{self._node}/{interface}", direction, frame)


if __name__ == "__main__":
    sys.stdout.write(busy_trace(int(sys.argv[1])))
