"""A dialogue of raw segments: a peer that a script plays, against a subject that is a real stack.

The same script plays against the kernel, over a TAP device in real time, and against a simulated
computer, in virtual time; what each subject says is written down in the same words. Numbers are
relative: `seq` of what the peer sends counts from its first sequence number, `ack` from the
subject's, and the other way round in what is written down.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from netsim.wire import arp, ethernet, icmp, ipv4, tcp
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.wire_error import WireError

PORT = 80
PEER_PORT = 4000
PEER_ISS = 0xFFFFFF00
"""Near the end of the number space: every longer dialogue wraps around it."""
PEER_CLOCK = 0xFFFFFC00
PEER_MAC = bytes.fromhex("020000000200")
SUBJECT_MAC = bytes.fromhex("020000000100")
ROUND_TRIP = "round trip"
"""How a note of it begins."""
FLAGS = {"S": 2, "F": 1, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}


class Heard(NamedTuple):
    """Something that the subject sent, or its program saw, and how many seconds after the last that
    the peer or the program did: so it does not add up when they are late."""

    at: float
    what: str


class Dialogue(ABC):
    """The peer's side, and the program on the subject's."""

    def __init__(self, peer: bytes, subject: bytes) -> None:
        self.peer = peer
        self.subject = subject
        self.heard: list[Heard] = []
        self.timestamps = False
        """The peer has them in what it sends."""
        self.port = PORT
        """The subject's."""
        self._iss: int | None = None
        self.echo = 0
        """The latest of the subject's timestamps."""
        self._acted = 0.0

    # The subject

    @abstractmethod
    def now(self) -> float:
        """Seconds since the dialogue began."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let time pass, and write down what is heard."""

    @abstractmethod
    def put(self, frame: bytes) -> None:
        """The subject gets a frame."""

    @abstractmethod
    def listen(self) -> None:
        """Its program listens on `PORT`."""

    @abstractmethod
    def accept(self) -> None:
        """It takes the connection that is waiting."""

    @abstractmethod
    def connect(self) -> None:
        """It opens a connection to the peer."""

    @abstractmethod
    def write(self, count: int) -> None:
        """It writes so many octets."""

    @abstractmethod
    def fill(self) -> int:
        """It writes, 64 KiB at a time, until there is no room: how many octets were taken."""

    @abstractmethod
    def is_writable(self) -> bool:
        """Whether it is told that there is room again."""

    @abstractmethod
    def read(self) -> int:
        """It reads what there is: how many octets."""

    @abstractmethod
    def shutdown(self) -> None:
        """It writes no more."""

    @abstractmethod
    def close(self) -> None:
        """It closes the connection."""

    @abstractmethod
    def set_no_delay(self) -> None:
        """TCP_NODELAY"""

    @abstractmethod
    def set_linger(self) -> None:
        """SO_LINGER of no time."""

    @abstractmethod
    def set_send_buffer(self, octets: int) -> None:
        """SO_SNDBUF"""

    @abstractmethod
    def keep_alive(self, idle: int, interval: int, probes: int) -> None:
        """SO_KEEPALIVE, in seconds."""

    @abstractmethod
    def error(self) -> str:
        """What the program is told: the name of an errno, or nothing."""

    @abstractmethod
    def round_trip(self) -> tuple[float, float]:
        """What the subject takes for it, and how long it waits before it sends again; in ms."""

    def note_round_trip(self) -> None:
        trip, timeout = self.round_trip()
        self.note(f"{ROUND_TRIP} {trip:.0f} ms, timeout {timeout:.0f} ms")

    def act(self) -> None:
        """The peer or the program does something now."""
        self._acted = self.now()

    # The peer

    def send(
        self, flags: str, seq: int = 0, ack: int | None = None, count: int = 0, **fields: Any
    ) -> None:
        """A segment of the peer's with `count` octets; `sack` takes relative blocks, `tos` is the
        packet's."""
        tos = fields.pop("tos", 0)
        segment = tcp.TcpSegment(
            fields.pop("source", PEER_PORT),
            fields.pop("port", self.port),
            (PEER_ISS + seq) % 2**32,
            0 if ack is None else ((self._iss or 0) + ack) % 2**32,
            sum(FLAGS[flag] for flag in flags),
            fields.pop("window", 65535),
            bytes(count),
        )
        if self.timestamps and fields.pop("stamped", True):
            age = fields.pop("age", 0)
            segment.timestamp = (PEER_CLOCK + int(self.now() * 1000) - age) % 2**32
            segment.timestamp_echo = self.echo if "A" in flags else 0
        segment.sack_blocks = tuple(
            (((self._iss or 0) + a) % 2**32, ((self._iss or 0) + b) % 2**32)
            for a, b in fields.pop("sack", ())
        )
        for name, value in fields.items():
            setattr(segment, name, value)
        pseudo_sum = pseudo_header_sum(self.peer, self.subject, ipv4.PROTOCOL_TCP)
        self.send_packet(ipv4.PROTOCOL_TCP, segment.pack(pseudo_sum), tos)

    def send_packet(self, protocol: int, payload: bytes, tos: int = 0) -> None:
        """An IPv4 packet of the peer's."""
        header = ipv4.Ipv4Header(
            tos, 20 + len(payload), 7, 0, 64, protocol, self.peer, self.subject
        )
        link = ethernet.pack_header(SUBJECT_MAC, PEER_MAC, ethernet.ETHERTYPE_IPV4)
        self.act()
        self.put(link + header.pack() + payload)

    def send_error(self, kind: int, code: int, seq: int, mtu: int = 0) -> None:
        """An ICMP error about what the subject sent with that number."""
        head = self.port.to_bytes(2, "big") + PEER_PORT.to_bytes(2, "big")
        head += (((self._iss or 0) + seq) % 2**32).to_bytes(4, "big")
        about = ipv4.Ipv4Header(0, 1500, 7, 0x4000, 64, 6, self.subject, self.peer).pack()
        self.send_packet(ipv4.PROTOCOL_ICMP, icmp.IcmpMessage(kind, code, mtu, about + head).pack())

    def note(self, what: str) -> None:
        """Write down what the program sees."""
        self.heard.append(Heard(0.0, what))

    # What is heard

    def hear(self, frame: bytes, at: float) -> None:
        """The subject has sent a frame; `at` is the time since the dialogue began."""
        at = max(0.0, at - self._acted)
        kind = ethernet.parse_header(frame)[2]
        if kind == ethernet.ETHERTYPE_ARP:
            self._hear_arp(frame)
            return
        if kind != ethernet.ETHERTYPE_IPV4:
            return
        packet = ipv4.parse(frame, ethernet.HEADER_LENGTH)
        start = ethernet.HEADER_LENGTH + packet.header_length
        payload = frame[start : ethernet.HEADER_LENGTH + packet.total_length]
        if packet.protocol == ipv4.PROTOCOL_TCP:
            pseudo_sum = pseudo_header_sum(packet.source, packet.destination, packet.protocol)
            ect = f" ect {packet.tos & 3}" if packet.tos & 3 else ""
            self.heard.append(Heard(at, self._segment(tcp.parse(payload, pseudo_sum)) + ect))
        elif packet.protocol == ipv4.PROTOCOL_ICMP:
            tos = f" tos {packet.tos:#x}" if payload[0] in (0, 14) and packet.tos else ""
            self.heard.append(Heard(at, f"icmp {payload[0]}/{payload[1]}{tos}"))

    def _hear_arp(self, frame: bytes) -> None:
        try:
            question = arp.parse(frame, ethernet.HEADER_LENGTH)
        except WireError:
            return
        if question.operation == arp.REQUEST and question.target == self.peer:
            answer = arp.ArpPacket(arp.REPLY, PEER_MAC, self.peer, SUBJECT_MAC, self.subject)
            link = ethernet.pack_header(SUBJECT_MAC, PEER_MAC, ethernet.ETHERTYPE_ARP)
            self.put(link + answer.pack())

    def _segment(self, segment: tcp.TcpSegment) -> str:
        flags = segment.flags
        # PSH says how the sender's memory was cut, and nobody acts on it.
        letters = "".join(letter for letter, bit in FLAGS.items() if flags & bit and letter != "P")
        if flags & FLAGS["S"]:
            self._iss = segment.sequence
            self.port = segment.source_port
        if segment.timestamp is not None:
            self.echo = segment.timestamp
        words = [letters, f"seq {self._relative(segment.sequence, self._iss)}"]
        if flags & FLAGS["A"]:
            words.append(f"ack {self._relative(segment.acknowledgement, PEER_ISS)}")
        if segment.payload:
            words.append(f"len {len(segment.payload)}")
        if not segment.window and not flags & FLAGS["R"]:
            words.append("window 0")
        for left, right in segment.sack_blocks:
            words.append(f"sack {self._relative(left, PEER_ISS)}-{self._relative(right, PEER_ISS)}")
        if segment.mss is not None:
            words.append(f"mss {segment.mss}")
        options = {
            "sackok": segment.sack_permitted,
            "ts": segment.timestamp is not None,
            "ws": segment.window_scale is not None,
        }
        return " ".join(words + [name for name, there in options.items() if there])

    @staticmethod
    def _relative(number: int, start: int | None) -> int:
        distance = (number - (start or 0)) % 2**32
        return distance - 2**32 if distance >= 2**31 and start is not None else distance
