"""A small network with something of everything going on, and somebody who attacks it.

An attack is a list of steps, made by hypothesis (`test_attacks.py`) or from the bytes of a
coverage-guided fuzzer (`scripts/fuzz`): frames put onto cables of the target, most of them made
from frames that really passed there, with waiting and the programs' own doings in between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from effects import watch
from forgery import fragment_of, mended, mutated, readdressed, segment_frame, with_options
from memory_network import MemoryNetwork
from plans import plan_of
from table_limits import check_fragments, check_tables

from netsim.core.time import MILLISECOND, SECOND
from netsim.node.host_node import HostNode
from netsim.node.switch import Switch
from netsim.observe.tap import Direction
from netsim.stack.icmp_layer import EchoReply
from netsim.stack.socket_errors import SocketError
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.switching import mac_table
from netsim.wire.address import BROADCAST_MAC
from netsim.wire.tcp import TcpSegment

Target = Literal["computer", "router", "switch"]
TARGETS: Final[tuple[Target, ...]] = ("computer", "router", "switch")

_NETWORKS: Final[dict[Target, tuple[str, ...]]] = {
    "computer": ("alice web delay=1ms",),
    "router": ("alice r1 delay=1ms", "r1 web delay=1ms"),
    "switch": ("alice s1 delay=1ms", "s1 web delay=1ms"),
}
NOBODYS: Final = tuple(
    bytes(map(int, text.split(".")))
    for text in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1")
)
"""Addresses that no station has, of every kind."""
_RECENT: Final = 64
_QUIET: Final = 300 * SECOND
"""How long the network gets to forget the lies it was told."""


class Wait(NamedTuple):
    """Let that many ns pass."""

    ns: int


class Raw(NamedTuple):
    """A frame as it is, onto the cable with that number."""

    where: int
    frame: bytes


class Mutated(NamedTuple):
    """A frame that passed lately: bits flipped, cut, lengthened, its checksums made right."""

    where: int
    recent: int
    bits: tuple[int, ...] = ()
    cut: int | None = None
    tail: bytes = b""
    mend: Literal["nothing", "checksums", "lengths"] = "nothing"


class Fragments(NamedTuple):
    """Parts of one packet that passed lately; `pieces` are start, size and whether more follows,
    as `forgery.fragment_of` takes them."""

    where: int
    recent: int
    identification: int
    pieces: tuple[tuple[int, int, bool], ...]


class Options(NamedTuple):
    """A packet that passed lately, with IP options."""

    where: int
    recent: int
    options: bytes


class Readdressed(NamedTuple):
    """A packet that passed lately, between two of `Attack.addresses`, to the port's station or to
    all."""

    where: int
    recent: int
    source: int
    destination: int
    to_all: bool = False


class Segment(NamedTuple):
    """A TCP segment for a connection that exists, near what its owner expects."""

    connection: int
    flags: int
    sequence_off: int = 0
    acknowledgement_off: int = 0
    window: int = 1000
    timestamp_off: int = 0
    options: bytes = b""
    payload: bytes = b""


class Act(NamedTuple):
    """Something that programs do: one of `Attack.ACTS`."""

    what: int
    size: int


Step = Wait | Raw | Mutated | Fragments | Options | Readdressed | Segment | Act


class Attack:
    """The network, and what the attacker knows of it."""

    def __init__(self, target: Target) -> None:
        self.network = network = MemoryNetwork(plan_of(*_NETWORKS[target]))
        self.recent: list[bytes] = []
        """Frames that passed the target, newest last."""
        self._arrived: list[bytes] = []
        """Of these, those that came to it, which it will take again."""
        name = {"computer": "web", "router": "r1", "switch": "s1"}[target]
        self._cables = [(name, port.name) for port in network.nodes[name].ports]
        for port in network.nodes[name].ports:
            port.taps.append(self)
        for node in network.nodes.values():
            watch(node)
        computers_and_routers = [
            node for node in network.nodes.values() if isinstance(node, HostNode)
        ]
        self.hosts = [node.host for node in computers_and_routers]
        self._homes = {
            address: (node.name, interface.name, interface.mac)
            for node in computers_and_routers
            for interface in node.host.interfaces
            for address in (entry.address for entry in interface.addresses)
        }
        subnets = {address[:3] for address in self._homes}
        self.addresses = [*self._homes, *NOBODYS, *(net + b"\xff" for net in sorted(subnets))]
        """Of everybody, and of nobody."""
        self._connections: list[TcpSocket] = []
        """That programs own."""
        self._begin()

    def frame_passed(
        self, time_ns: int, interface: str, direction: Direction, frame: bytes
    ) -> None:
        """The attacker listens."""
        _remember(self.recent, frame)
        if direction is Direction.INBOUND:
            _remember(self._arrived, frame)

    def play(self, steps: Sequence[Step]) -> None:
        """Do it all; whatever a node raises comes out."""
        for step in steps:
            match step:
                case Wait(ns):
                    self.network.run_for(ns)
                case Raw(where, frame):
                    self._put(where, frame)
                case Mutated(where, recent, bits, cut, tail, mend):
                    frame = mutated(self._recent(recent), bits, cut, tail)
                    if mend != "nothing":
                        frame = mended(frame, lengths=mend == "lengths")
                    self._put(where, frame)
                case Fragments(where, recent, identification, pieces):
                    base = self._recent(recent)
                    for piece in pieces:
                        self._put(where, fragment_of(base, *piece, identification))
                    for host in self.hosts:
                        check_fragments(host.ip_input.reassembly)
                case Options(where, recent, options):
                    self._put(where, with_options(self._recent(recent), options))
                case Readdressed():
                    self._put_readdressed(step)
                case Segment():
                    self._put_segment(step)
                case Act(what, size):
                    Attack.ACTS[what % len(Attack.ACTS)](self, size)
                    self.network.flush()

    def check(self) -> None:
        """Every frame is accounted for, and no table is beyond its limit."""
        for account in self.network.accounts().values():
            account.check()
        for host in self.hosts:
            check_tables(host)
        for node in self.network.nodes.values():
            if isinstance(node, Switch):
                assert len(node.table.entries(self.network.now)) <= mac_table.CAPACITY

    def recovers(self) -> bool:
        """Whether alice reaches web again when what was lied has aged."""
        network = self.network
        socket = network.host("alice").icmp.open_echo(0x5AFE)
        end = network.now + _QUIET
        while network.now < end:
            with contextlib.suppress(SocketError):
                socket.send(network.plan.hosts["web"], 1, b"", network.now)
            network.run_for(SECOND)
            if any(isinstance(answer, EchoReply) for answer in socket.inbox):
                return True
        return False

    # What the attacker does

    def _recent(self, index: int) -> bytes:
        frames = self._arrived if index & 1 else self.recent
        return frames[-1 - (index >> 1) % len(frames)]

    def _put(self, where: int, frame: bytes) -> None:
        self.network.inject(*self._cables[where % len(self._cables)], frame)
        # Longer than the cables' delay, so that the next step sees what this one did.
        self.network.run_for(3 * MILLISECOND)

    def _put_readdressed(self, step: Readdressed) -> None:
        node, interface = self._cables[step.where % len(self._cables)]
        mac = BROADCAST_MAC if step.to_all else self.network.port(node, interface).mac
        source, destination = (
            self.addresses[number % len(self.addresses)]
            for number in (step.source, step.destination)
        )
        frame = self._recent(step.recent)
        self._put(step.where, readdressed(frame, mac, source, destination))

    def _put_segment(self, step: Segment) -> None:
        """From the peer of a connection to its owner, whoever they are."""
        alive = [each for host in self.hosts for each in host.tcp._shared.connections.values()]
        if not alive:
            return
        connection = alive[step.connection % len(alive)]
        receiver = connection.receiver
        segment = TcpSegment(
            0,
            0,
            receiver.nxt + step.sequence_off,
            connection.sender.una + step.acknowledgement_off,
            step.flags,
            step.window,
            step.payload,
        )
        if connection.transmitter.timestamps and not step.options:
            segment.timestamp = receiver.recent + step.timestamp_off & 0xFFFFFFFF
        name, interface, mac = self._homes[connection.local[0]]
        frame = segment_frame(mac, connection.remote, connection.local, segment, step.options)
        self.network.inject(name, interface, frame)
        self.network.run_for(3 * MILLISECOND)

    # What programs do

    def _begin(self) -> None:
        """Conversations of every kind, so that there is something to attack."""
        network = self.network
        alice, web = network.host("alice"), network.host("web")
        alice_at, web_at = network.plan.hosts["alice"], network.plan.hosts["web"]
        for host in self.hosts:
            host.icmp.open_echo(77)
            host.tcp.listen(None, 80, backlog=4)
            host.udp.bind(None, 53)
        for ttl in (64, 1):
            alice.icmp._echo_sockets[77].send(web_at, ttl, b"ping", network.now, ttl=ttl)
        alice.udp.bind(None, 4000).send(b"question", (web_at, 53), network.now)
        web.udp.bind(None, 4000).send(b"nobody is there", (alice_at, 9), network.now)
        self._connections = [
            alice.tcp.connect((web_at, 80), network.now),
            web.tcp.connect((alice_at, 80), network.now),
            alice.tcp.connect((web_at, 80), network.now),
            alice.tcp.connect((web_at, 81), network.now),
        ]
        network.run_for(20 * MILLISECOND)
        self._accept(0)
        text, half_closed, over, *_ = self._connections
        text.send(bytes(range(256)) * 12)
        half_closed.send(b"half a word")
        half_closed.shutdown()
        over.close()
        network.run_for(20 * MILLISECOND)
        for connection in self._connections[4:]:
            if connection.remote == over.local:
                connection.close()
        # What leaves now is not acknowledged yet when the attack begins.
        text.send(bytes(5000))
        nobody = web_at[:3] + bytes((web_at[3] ^ 0x40,))
        alice.tcp.connect((nobody, 80), network.now)
        network.flush()

    def _accept(self, size: int) -> None:
        for host in self.hosts:
            for listener in host.tcp._listeners.values():
                connection = listener.accept()
                while connection is not None:
                    self._connections.append(connection)
                    connection = listener.accept()
            host.ready.clear()

    def _write(self, size: int) -> None:
        for connection in self._connections:
            if not connection.orphan and not connection.sender.buffer.fin_queued:
                connection.send(bytes(size))

    def _read(self, size: int) -> None:
        for connection in self._connections:
            connection.receive(size)

    def _read_datagrams(self, size: int) -> None:
        for host in self.hosts:
            for socket in host.udp.sockets():
                socket.receive()
                socket.errors.clear()

    def _connect(self, size: int) -> None:
        network = self.network
        web_at = network.plan.hosts["web"]
        self._connections.append(network.host("alice").tcp.connect((web_at, 80), network.now))

    def _shutdown(self, size: int) -> None:
        for connection in self._connections[size % 3 :: 3]:
            connection.shutdown()

    def _close(self, size: int) -> None:
        for connection in self._connections[size % 3 :: 3]:
            connection.close()

    def _abort(self, size: int) -> None:
        for connection in self._connections[size % 3 :: 3]:
            connection.abort(self.network.now)

    def _pull_the_cable(self, size: int) -> None:
        cable = self._cables[size % len(self._cables)]
        self.network.set_link(*cable, up=False)
        self.network.run_for(size * MILLISECOND)
        self.network.set_link(*cable, up=True)

    ACTS = (
        _accept,
        _write,
        _read,
        _read_datagrams,
        _connect,
        _shutdown,
        _close,
        _abort,
        _pull_the_cable,
    )


def _remember(frames: list[bytes], frame: bytes) -> None:
    frames.append(frame)
    if len(frames) > 2 * _RECENT:
        del frames[:_RECENT]
