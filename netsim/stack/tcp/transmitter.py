"""How the segments of one connection are built, and leave through IP at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from netsim.core.time import MILLISECOND
from netsim.stack.interface import Interface
from netsim.stack.socket_errors import SocketError
from netsim.stack.tcp.delayed_ack import AFTER_MARK
from netsim.stack.tcp.receiver import Receiver
from netsim.stack.tcp.seq import MASK
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.tcp import ACK, CWR, ECE, RST, SYN, TcpSegment, build, timestamp_option

PROTOCOL: Final = 6
"""TCP's number in the IP header."""
UNSENT: Final = "tcp-unsent"
"""Why a segment was dropped that IP could not send: it is lost, which TCP knows how to mend."""

_SACK_ROOM: Final = 4
_SACK_ROOM_BESIDE_TIMESTAMPS: Final = 3


class IpLayer(Protocol):
    """The IP layer below. It never calls back into TCP from within `send`: what is addressed
    to this host itself comes in later, like any other packet."""

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
        """Let a packet leave, with DF set for TCP; SocketError when it cannot.

        `through` is the only interface that it may leave by.
        """

    def source_for(self, destination: bytes) -> bytes:
        """Our address on the way to `destination`; NoRouteError when there is no way."""

    def mtu_to(self, destination: bytes) -> int:
        """Octets of the largest IP packet that can go there, as far as is known."""

    def is_broadcast(self, address: bytes) -> bool:
        """Whether packets to that address are for everybody on a link."""


def timestamp_clock(now: int, offset: int) -> int:
    """Our timestamp clock: milliseconds plus an offset of the connection."""
    return (now // MILLISECOND + offset) & MASK


def send_segment(
    ip: IpLayer,
    drop: Callable[[str], None],
    counters: TcpCounters,
    source: bytes,
    destination: bytes,
    segment: TcpSegment,
    now: int,
) -> None:
    """Send a segment that is not one of a stream of many."""
    counters.segments_out += 1
    data = segment.pack(pseudo_header_sum(source, destination, PROTOCOL))
    try:
        ip.send(PROTOCOL, source, destination, data, now)
    except SocketError:
        drop(UNSENT)


class Transmitter:
    """Builds this connection's segments; `receiver` says what they acknowledge."""

    __slots__ = (
        "_acknowledgement",
        "_counters",
        "_destination",
        "_destination_port",
        "_drop",
        "_echo",
        "_ip",
        "_options",
        "_source",
        "_source_port",
        "_timestamp_offset",
        "_window",
        "ecn",
        "pseudo_sum",
        "receiver",
        "sack",
        "timestamps",
    )

    def __init__(
        self,
        ip: IpLayer,
        drop: Callable[[str], None],
        local: tuple[bytes, int],
        remote: tuple[bytes, int],
        receiver: Receiver,
        timestamp_offset: int,
        counters: TcpCounters,
    ) -> None:
        self._ip = ip
        self._drop = drop
        self._source, self._source_port = local
        self._destination, self._destination_port = remote
        self.pseudo_sum = pseudo_header_sum(self._source, self._destination, PROTOCOL)
        """The same in both directions."""
        self.receiver = receiver
        self._timestamp_offset = timestamp_offset
        self._counters = counters
        self.timestamps = False
        """Whether both ends agreed to send the timestamps option on every segment."""
        self.sack = False
        """Whether both ends agreed to SACK."""
        self.ecn = 0
        """ECT(0) where both ends agreed to ECN (RFC 3168 6.1), for data that leaves first; else
        0."""
        self._echo = 0
        """ECE, from a CE mark until the peer says that it has slowed down."""
        self._acknowledgement = 0
        self._window = 0
        self._options = b""

    def clock(self, now: int) -> int:
        """Our timestamp clock."""
        return timestamp_clock(now, self._timestamp_offset)

    def note_congestion(self, marked: bool, flags: int) -> None:
        """Data came, `marked` with CE or not (RFC 3168 6.1.3). The peer's window may be small
        then, so it does not wait for acknowledgements."""
        receiver = self.receiver
        if flags & CWR:
            self._echo = 0
            receiver.ack_now = True
        if marked:
            if not self._echo:
                receiver.acks.tell_quickly(AFTER_MARK, receiver.edge - receiver.nxt)
            self._echo = ECE

    def prepare(self, now: int) -> None:
        """Fix what the segments written next have in common: ACK, window, timestamps."""
        receiver = self.receiver
        self._window = receiver.offer()
        self._acknowledgement = receiver.nxt & MASK
        if self.timestamps:
            self._options = timestamp_option(
                timestamp_clock(now, self._timestamp_offset), receiver.recent
            )

    def write(
        self, sequence: int, flags: int, payload: bytes | bytearray, now: int, tos: int = 0
    ) -> None:
        """One segment with the ACK that was prepared; `sequence` unwrapped."""
        self._counters.segments_out += 1
        segment = build(
            self._source_port,
            self._destination_port,
            sequence & MASK,
            self._acknowledgement,
            flags | self._echo,
            self._window,
            self._options,
            payload,
            self.pseudo_sum,
        )
        try:
            if tos:
                self._ip.send(PROTOCOL, self._source, self._destination, segment, now, tos=tos)
            else:
                self._ip.send(PROTOCOL, self._source, self._destination, segment, now)
        except SocketError:
            self._drop(UNSENT)

    def acknowledge(self, sequence: int, now: int) -> None:
        """A segment without data; `sequence` is SND.NXT."""
        receiver = self.receiver
        self.prepare(now)
        if self.sack and (receiver.reassembly.octets or receiver.duplicate):
            room = _SACK_ROOM_BESIDE_TIMESTAMPS if self.timestamps else _SACK_ROOM
            blocks = receiver.sack_blocks(room)
            plain = self._options
            self._options += TcpSegment(
                0, 0, 0, 0, 0, 0, sack_blocks=tuple((a & MASK, b & MASK) for a, b in blocks)
            ).pack_options()
            self.write(sequence, ACK, b"", now)
            self._options = plain
            return
        self.write(sequence, ACK, b"", now)

    def synchronize(self, iss: int, flags: int, mss: int, offers: TcpSegment, now: int) -> None:
        """A SYN, or with ACK in `flags` a SYN-ACK; `offers` names options to carry."""
        receiver = self.receiver
        offers.source_port, offers.destination_port = self._source_port, self._destination_port
        offers.sequence = iss & MASK
        offers.acknowledgement = receiver.nxt & MASK if flags & ACK else 0
        offers.flags = flags | SYN
        offers.window = receiver.unscaled_offer()
        offers.mss = mss
        if offers.timestamp is not None:
            offers.timestamp = self.clock(now)
            offers.timestamp_echo = receiver.recent
        self._send(offers, now)

    def reset(self, sequence: int, now: int) -> None:
        """A RST with ACK, for a peer that knows this connection."""
        self._counters.resets_out += 1
        self._send(
            TcpSegment(
                self._source_port,
                self._destination_port,
                sequence & MASK,
                self.receiver.nxt & MASK,
                RST | ACK,
                0,
            ),
            now,
        )

    def _send(self, segment: TcpSegment, now: int) -> None:
        send_segment(
            self._ip, self._drop, self._counters, self._source, self._destination, segment, now
        )
