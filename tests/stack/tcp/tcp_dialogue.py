"""A dialogue with times: one Tcp under test, and a peer that says what the test tells it.

Numbers are relative: `seq` of what the peer sends counts from its initial sequence number,
`ack` from ours, and the other way round for what we expect. Times are ns of network time.
"""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from netsim.core.time import MILLISECOND
from netsim.stack.interface import Interface
from netsim.stack.socket_errors import NoRouteError
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.recovery import Phase
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_layer import Tcp
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.stack.timers import Timers
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.icmp import IcmpMessage
from netsim.wire.ipv4 import Ipv4Header
from netsim.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG, TcpSegment, parse

HERE = bytes((10, 0, 0, 1))
PEER = bytes((10, 0, 0, 2))
PORT = 80
PEER_PORT = 4000
PEER_ISS = 0xFFFFFC00
"""Near the end of the number space, so that every longer dialogue wraps around it."""
PEER_CLOCK = 0xFFFFFF00
MSS = 1000
MTU = MSS + 40

PLAIN = TcpSettings(
    congestion="reno", selective_acknowledgement=False, timestamps=False, window_scaling=False
)
MODERN = TcpSettings(congestion="reno")
"""Reno's windows can be reckoned at first sight; CUBIC has tests of its own."""

_LETTERS = {"S": SYN, "A": ACK, "F": FIN, "R": RST, "P": PSH, "U": URG, "E": ECE, "C": CWR}


def flag_bits(letters: str) -> int:
    return sum(_LETTERS[letter] for letter in letters)


def flag_letters(flags: int) -> str:
    return "".join(letter for letter, bit in _LETTERS.items() if flags & bit)


def ip_header(source: bytes, destination: bytes, tos: int = 0) -> Ipv4Header:
    """That of a packet with a segment in it."""
    return Ipv4Header(tos, 0, 0, 0, 64, 6, source, destination)


class Sent(NamedTuple):
    """A segment under test that left, and when."""

    at: int
    segment: TcpSegment
    tos: int = 0


class Wire:
    """The IP layer of a dialogue: keeps what TCP sends."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self.mtu = MTU
        self.reachable = True

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
        assert (protocol, destination) == (6, PEER)
        assert len(payload) + 20 <= self.mtu, "larger than the path"
        segment = parse(payload, pseudo_header_sum(source, destination, 6))
        self._dialogue.sent.append(Sent(now, segment, tos))

    def source_for(self, destination: bytes) -> bytes:
        if not self.reachable:
            raise NoRouteError("no route")
        return HERE

    def mtu_to(self, destination: bytes) -> int:
        return self.mtu

    def is_broadcast(self, address: bytes) -> bool:
        return False


class Dialogue:
    """See the module; every method that takes a time first lets everything before it happen."""

    def __init__(self, settings: TcpSettings = PLAIN) -> None:
        self.now = 0
        self.sent: list[Sent] = []
        self.ready: dict[Any, None] = {}
        self.timers = Timers()
        self.wire = Wire(self)
        self.drops: list[str] = []
        self.tcp = Tcp(
            self.wire, self.timers, Random(1), self.ready, self.drops.append, settings=settings
        )
        self.iss = 0
        """Ours; known once our SYN was expected."""
        self.our_port = PORT
        self.peer_port = PEER_PORT
        self.echo = 0
        """Our latest timestamp."""
        self.timestamps = False

    # -- time

    def run(self, until: int) -> None:
        """Let the owner's calls and all timers up to `until` take effect."""
        self.tcp.flush(self.now)
        while (due := self.timers.next_due()) is not None and due <= until:
            self.now = max(self.now, due)
            self.timers.fire(self.now)
            self.tcp.flush(self.now)
        self.now = max(self.now, until)

    def after(self, elapsed: int) -> None:
        self.run(self.now + elapsed)

    # -- the peer speaks

    def send(
        self, flags: str, seq: int = 0, ack: int | None = None, payload: bytes = b"", **fields: Any
    ) -> None:
        """The peer's segment arrives now. `sack` takes relative blocks; `window` is unscaled."""
        self.tcp.flush(self.now)
        segment = TcpSegment(
            self.peer_port,
            self.our_port,
            (PEER_ISS + seq) & 0xFFFFFFFF,
            0 if ack is None else (self.iss + ack) & 0xFFFFFFFF,
            flag_bits(flags),
            fields.pop("window", 65535),
            payload,
        )
        if self.timestamps and "R" not in flags:
            segment.timestamp = self.peer_clock()
            segment.timestamp_echo = self.echo
        segment.sack_blocks = tuple(
            ((self.iss + a) & 0xFFFFFFFF, (self.iss + b) & 0xFFFFFFFF)
            for a, b in fields.pop("sack", ())
        )
        tos = fields.pop("tos", 0)
        for name, value in fields.items():
            setattr(segment, name, value)
        self.deliver(segment.pack(pseudo_header_sum(PEER, HERE, 6)), tos)

    def peer_clock(self) -> int:
        return (PEER_CLOCK + self.now // MILLISECOND) & 0xFFFFFFFF

    def deliver(self, data: bytes, tos: int = 0) -> None:
        self.tcp.receive(ip_header(PEER, HERE, tos), data, self.now)
        self.tcp.flush(self.now)

    def icmp(self, kind: int, code: int, seq: int, mtu: int = 0) -> None:
        """An ICMP error about our segment `seq` arrives; IP believes `mtu` if TCP does."""
        head = (
            self.our_port.to_bytes(2, "big")
            + self.peer_port.to_bytes(2, "big")
            + ((self.iss + seq) & 0xFFFFFFFF).to_bytes(4, "big")
        )
        error = IcmpMessage(kind, code, 0, b"")
        if self.tcp.receive_error(ip_header(HERE, PEER), head, error, PEER, self.now) and mtu:
            self.wire.mtu = mtu
            self.tcp.path_changed(PEER, self.now)
        self.tcp.flush(self.now)

    # -- what we expect

    def expect(
        self, flags: str, seq: int = 0, ack: int | None = None, payload: bytes = b"", **fields: Any
    ) -> TcpSegment:
        """The next segment is this one and, where `at` is given, leaves at that time."""
        at = fields.pop("at", None)
        if at is not None and not self.sent:
            self.run(at)
        self.tcp.flush(self.now)
        assert self.sent, f"expected [{flags}] seq {seq}, but nothing was sent"
        when, segment, tos = self.sent.pop(0)
        if flags.startswith("S"):
            self.iss = segment.sequence
            self.our_port, self.peer_port = segment.source_port, segment.destination_port
        seen: dict[str, Any] = {
            "flags": flag_letters(segment.flags),
            "seq": self._relative(segment.sequence, self.iss),
            "ack": self._relative(segment.acknowledgement, PEER_ISS)
            if segment.flags & ACK
            else None,
            "payload": segment.payload,
        }
        wanted: dict[str, Any] = {
            "flags": flag_letters(flag_bits(flags)),
            "seq": seq,
            "ack": ack,
            "payload": payload,
        }
        if at is not None:
            wanted["at"], seen["at"] = at, when
        if "tos" in fields:
            wanted["tos"], seen["tos"] = fields.pop("tos"), tos
        if "sack" in fields:
            wanted["sack"] = list(fields.pop("sack"))
            seen["sack"] = [
                (self._relative(a, PEER_ISS), self._relative(b, PEER_ISS))
                for a, b in segment.sack_blocks
            ]
        for name, value in fields.items():
            wanted[name], seen[name] = value, getattr(segment, name)
        wrong = {key: (seen[key], wanted[key]) for key in wanted if seen[key] != wanted[key]}
        if "payload" in wrong and len(payload) == len(segment.payload):
            wrong["payload"] = ("the data differs", len(payload))
        elif "payload" in wrong:
            wrong["payload"] = (len(segment.payload), len(payload))
        assert not wrong, f"seen and expected: {wrong}"
        if segment.timestamp is not None:
            self.echo = segment.timestamp
        return segment

    def expect_nothing(self, until: int | None = None) -> None:
        """Nothing was sent, and nothing will be up to and including `until`."""
        self.run(self.now if until is None else until)
        assert not self.sent, [f"{flag_letters(s.flags)} {s} at {at}" for at, s, _ in self.sent]

    def _relative(self, number: int, base: int) -> int:
        difference = (number - base) & 0xFFFFFFFF
        return difference - (1 << 32) if difference > 0xFFFF0000 else difference


def in_state(connection: Connection, state: State) -> bool:
    """A call, because type checkers think that an attribute stays what it was."""
    return connection.state is state


def in_phase(connection: TcpSocket, phase: Phase) -> bool:
    """The same for what the sender does about losses."""
    return connection.sender.recovery.phase is phase


# -- a factory for each state


def syn_sent(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue = Dialogue(settings)
    connection = dialogue.tcp.connect((PEER, PEER_PORT), 0)
    dialogue.expect("S", seq=0)
    return dialogue, connection


def options(settings: TcpSettings, dialogue: Dialogue) -> dict[str, Any]:
    """What the peer's SYN offers, so that everything in `settings` is agreed upon."""
    dialogue.timestamps = settings.timestamps
    return {
        "mss": MSS,
        "sack_permitted": settings.selective_acknowledgement,
        "window_scale": 7 if settings.window_scaling else None,
    }


def syn_received(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue = Dialogue(settings)
    dialogue.tcp.listen(None, PORT)
    dialogue.send("S", seq=0, **options(settings, dialogue))
    dialogue.expect("SA", seq=0, ack=1)
    (connection,) = dialogue.tcp._shared.connections.values()
    assert isinstance(connection, TcpSocket)
    assert connection.state is State.SYN_RECEIVED
    return dialogue, connection


def established(
    settings: TcpSettings = PLAIN, window: int = 65535, rtt: int = 0, **fields: Any
) -> tuple[Dialogue, TcpSocket]:
    """Actively opened; both numbers are at 1."""
    dialogue, connection = syn_sent(settings)
    dialogue.run(rtt)
    # The window of a SYN is never scaled, so it comes with the first acknowledgement.
    offers = {**options(settings, dialogue), **fields}
    dialogue.send("SA", seq=0, ack=1, window=window, **offers)
    dialogue.expect("A", seq=1, ack=1)
    assert connection.state is State.ESTABLISHED
    assert connection.connected
    dialogue.ready.clear()
    return dialogue, connection


def accepted(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    """Passively opened and accepted; both numbers are at 1."""
    dialogue = Dialogue(settings)
    listener = dialogue.tcp.listen(None, PORT)
    dialogue.send("S", seq=0, **options(settings, dialogue))
    dialogue.expect("SA", seq=0, ack=1)
    dialogue.send("A", seq=1, ack=1)
    connection = listener.accept()
    assert connection is not None
    dialogue.ready.clear()
    return dialogue, connection


def fin_wait_1(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue, connection = established(settings)
    connection.shutdown()
    dialogue.expect("FA", seq=1, ack=1)
    assert connection.state is State.FIN_WAIT_1
    return dialogue, connection


def fin_wait_2(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue, connection = fin_wait_1(settings)
    dialogue.send("A", seq=1, ack=2)
    assert connection.state is State.FIN_WAIT_2
    return dialogue, connection


def close_wait(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue, connection = established(settings)
    dialogue.send("FA", seq=1, ack=1)
    dialogue.expect("A", seq=1, ack=2)
    assert connection.state is State.CLOSE_WAIT
    return dialogue, connection


def closing(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue, connection = fin_wait_1(settings)
    dialogue.send("FA", seq=1, ack=1)
    dialogue.expect("A", seq=2, ack=2)
    assert connection.state is State.CLOSING
    return dialogue, connection


def last_ack(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue, connection = close_wait(settings)
    connection.shutdown()
    dialogue.expect("FA", seq=1, ack=2)
    assert connection.state is State.LAST_ACK
    return dialogue, connection


def time_wait(settings: TcpSettings = PLAIN) -> tuple[Dialogue, TcpSocket]:
    dialogue, connection = fin_wait_2(settings)
    dialogue.send("FA", seq=1, ack=2)
    dialogue.expect("A", seq=2, ack=2)
    assert connection.state is State.TIME_WAIT
    return dialogue, connection
