"""Where the time of a request went: its critical path, from the end back to the beginning.

At every moment the request waits for one thing: a frame on a cable or in a queue, a program, a
timer. Whoever asks at its end what it waited for last finds a packet that has just arrived; that
has waited on each hop for the cable and in the queue, and was sent because of another that arrived
at its sender, or of what the program there did. So one goes back, and the parts add up to the
whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from netsim.observe.packet_paths import Hop, Packet
from netsim.observe.request_phases import Course, Kind, Span, Wait, in_phases
from netsim.observe.tcp_packets import Arrivals, Segment
from netsim.wire import arp
from netsim.wire.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV4
from netsim.wire.ethernet import HEADER_LENGTH as _ETHERNET
from netsim.wire.ipv4 import PROTOCOL_ICMP
from netsim.wire.wire_error import WireError

_MOST_STEPS: Final = 100_000


def spans_of(course: Course, segments: Sequence[Segment], packets: Sequence[Packet]) -> list[Span]:
    """All of the time, in order; `segments` are the connection's, `packets` all there are."""
    return _Walk(course, segments, packets).spans()


def unanswered(packets: Sequence[Packet], nodes: Sequence[str]) -> list[Packet]:
    """ARP requests of some nodes that nobody has answered."""
    asked = [
        each
        for each in packets
        if _ethertype(each.frame) == ETHERTYPE_ARP
        and _operation(each.frame) == arp.REQUEST
        and each.origin in nodes
    ]
    return [each for each in asked if not _is_answered(each, packets)]


def _is_answered(request: Packet, packets: Sequence[Packet]) -> bool:
    target = _arp_of(request.frame).target
    return any(
        _ethertype(packet.frame) == ETHERTYPE_ARP
        and _operation(packet.frame) == arp.REPLY
        and _arp_of(packet.frame).sender == target
        and packet.arrival_at(request.origin) is not None
        for packet in packets
    )


class _Walk:
    def __init__(
        self, course: Course, segments: Sequence[Segment], packets: Sequence[Packet]
    ) -> None:
        self._course = course
        self._cursor = course.ended_ns
        """From here to the end it is known where the time went."""
        self._found: list[Wait] = []
        """Latest first."""
        in_time = [each for each in segments if each.packet.sent_ns <= course.ended_ns]
        self._out = [each for each in in_time if each.packet.origin == course.client]
        self._back = [each for each in in_time if each.packet.origin != course.client]
        self._server = self._back[0].packet.origin if self._back else self._far_end()
        self._arp = [each for each in packets if _ethertype(each.frame) == ETHERTYPE_ARP]
        self._errors = [each for each in packets if _is_icmp(each.frame)]
        self._previous = {**_previous_data(self._out), **_previous_data(self._back)}
        """By segment: what its sender sent before, of data that was new."""
        self._arrivals: dict[tuple[bool, str, bool], Arrivals] = {}
        """Of those to the client or of the others, at a node, with data or all."""

    def spans(self) -> list[Span]:
        """Go all the way."""
        if self._course.has_reply:
            last = self._last(True, self._course.client)
            if last is not None:
                self._from_arrival(*last)
        else:
            self._from_failure()
        self._to(self._course.started_ns, "hosts", self._course.client)
        return in_phases(reversed(self._found), self._course, self._out, self._back, self._server)

    # The path back

    def _to(self, start: int, kind: Kind, where: str, is_arp: bool = False) -> None:
        """From `start` on it was this, as far as it is not known yet."""
        start = max(start, self._course.started_ns)
        if start < self._cursor:
            self._found.append((start, self._cursor, kind, where, is_arp))
            self._cursor = start

    def _from_arrival(self, segment: Segment, hop: Hop) -> None:
        """Something at the receiver was because of this."""
        self._gap(hop.arrived_ns or 0, hop.receiver_node)
        self._along(hop)
        self._explain(segment)

    def _along(self, hop: Hop, is_arp: bool = False) -> None:
        """Back to where the packet of this hop was made."""
        current: Hop | None = hop
        while current is not None:
            due = current.due_ns if current.due_ns is not None else current.arrived_ns
            self._to(due or 0, "hosts", current.receiver_node, is_arp)
            for start, kind in (
                (current.serialised_ns, "propagation"),
                (current.left_ns, "serialisation"),
                (current.queued_ns, "queueing"),
            ):
                if start is not None:
                    self._to(start, kind, current.sender, is_arp)  # type: ignore[arg-type]
            before = current.before
            if before is not None:
                self._gap(before.arrived_ns or 0, current.sender_node, is_arp=is_arp)
            current = before

    def _gap(self, start: int, node: str, kind: Kind = "hosts", *, is_arp: bool = False) -> None:
        """What a node did from `start` on, beside asking for the MAC address of a neighbour."""
        if not is_arp:
            while self._cursor > start and (reply := self._arp_reply(node, start)) is not None:
                if not self._ask_back(reply, node, start, kind):
                    break
            asked = self._asked(node, start, self._cursor)
            if asked and not _is_answered(asked[0], self._arp):
                # In vain: what waited for it was given up.
                self._to(asked[0].sent_ns, "waiting", node, is_arp=True)
        self._to(start, kind, node, is_arp)

    def _arp_reply(self, node: str, start: int) -> Hop | None:
        replies = [
            hop
            for packet in self._arp
            if _operation(packet.frame) == arp.REPLY
            for hop in packet.hops
            if hop.receiver_node == node and start < (hop.arrived_ns or 0) <= self._cursor
        ]
        return max(replies, key=lambda hop: hop.arrived_ns or 0, default=None)

    def _ask_back(self, reply: Hop, node: str, start: int, kind: Kind) -> bool:
        """From the reply back to the first request; False where there is none."""
        target = _arp_of(reply.frame).sender
        asked = [
            packet
            for packet in self._asked(node, start, reply.arrived_ns or 0)
            if _arp_of(packet.frame).target == target
        ]
        if not asked:
            return False
        self._to(reply.arrived_ns or 0, kind, node)
        self._along(reply, is_arp=True)
        answering = reply
        while answering.before is not None:
            answering = answering.before
        came = [hop for packet in asked if (hop := packet.arrival_at(answering.sender_node))]
        came = [hop for hop in came if (hop.arrived_ns or 0) <= self._cursor]
        if came:
            last = max(came, key=lambda hop: hop.arrived_ns or 0)
            self._to(last.arrived_ns or 0, "hosts", answering.sender_node, is_arp=True)
            self._along(last, is_arp=True)
        self._to(asked[0].sent_ns, "waiting", node, is_arp=True)
        if any(_arp_of(each.frame).target == target for each in self._asked(node, 0, start - 1)):
            # It had asked before, in vain: it waits until it may ask again.
            self._to(start, "waiting", node, is_arp=True)
        return True

    def _asked(self, node: str, start: int, end: int) -> list[Packet]:
        """ARP requests of a node."""
        return [
            packet
            for packet in self._arp
            if packet.origin == node
            and start <= packet.sent_ns <= end
            and _operation(packet.frame) == arp.REQUEST
        ]

    def _explain(self, segment: Segment) -> None:
        """Why a segment was sent when it was, and so on back to the beginning."""
        for _ in range(_MOST_STEPS):
            node = segment.packet.origin
            if segment.resends is not None:
                self._to(segment.resends.packet.sent_ns, "waiting", node)
                segment = segment.resends
                continue
            own, cause = self._cause(segment)
            if own is not None:
                self._to(own.packet.sent_ns, "hosts", node)
                segment = own
                continue
            if cause is None:
                start = self._course.resolved_ns or self._course.started_ns
                self._gap(start, node)
                return
            segment, hop = cause
            self._gap(hop.arrived_ns or 0, node)
            self._along(hop)

    def _cause(self, segment: Segment) -> tuple[Segment | None, tuple[Segment, Hop] | None]:
        """What the sender's program sent before, or what had arrived there."""
        is_clients = segment.packet.origin == self._course.client
        node, at = segment.packet.origin, segment.packet.sent_ns
        if segment.is_syn and is_clients:
            return None, None
        last = self._last(is_clients, node, at, only_data=False)
        turn = self._last(is_clients, node, at)
        previous = self._previous[id(segment)]
        if segment.is_syn or not segment.length or previous is None:
            return None, turn or last
        if turn is not None and (turn[1].arrived_ns or 0) > previous.packet.sent_ns:
            return None, turn
        if last is not None:
            arrived = last[1].arrived_ns or 0
            is_soon = at - arrived <= self._course.tolerance_ns
            if arrived > previous.packet.sent_ns and is_soon:
                return None, last  # an acknowledgement that opened the window
        return previous, None

    def _last(
        self, is_back: bool, node: str, until: int | None = None, *, only_data: bool = True
    ) -> tuple[Segment, Hop] | None:
        """What has come to a node last, of what goes back to the client or of the rest."""
        key = is_back, node, only_data
        if key not in self._arrivals:
            segments = self._back if is_back else self._out
            self._arrivals[key] = Arrivals(segments, node, only_data=only_data)
        return self._arrivals[key].last(self._course.ended_ns if until is None else until)

    # Requests without a reply

    def _from_failure(self) -> None:
        client = self._course.client
        resets = [each for each in self._back if each.is_reset and each.arrival_at(client)]
        for reset in resets[-1:]:
            hop = reset.arrival_at(client)
            assert hop is not None, "those were chosen"
            self._from_arrival(reset, hop)
            return
        errors = [hop for each in self._errors if (hop := each.arrival_at(client)) is not None]
        errors = [hop for hop in errors if (hop.arrived_ns or 0) <= self._course.ended_ns]
        if errors:
            self._from_error(max(errors, key=lambda hop: hop.arrived_ns or 0))
            return
        self._from_silence()

    def _from_error(self, hop: Hop) -> None:
        """A router has said that it does not go on."""
        self._gap(hop.arrived_ns or 0, hop.receiver_node)
        self._along(hop)
        first = hop
        while first.before is not None:
            first = first.before
        router = first.sender_node
        came = self._last(False, router, self._cursor, only_data=False)
        if came is not None:
            self._from_arrival(*came)

    def _from_silence(self) -> None:
        """Nothing has ended it: the client has given up, or the reply was cut off."""
        client = self._course.client
        openings = Arrivals([each for each in self._back if each.is_syn], client)
        opened = openings.last(self._course.ended_ns)
        if opened is None:
            if self._out:
                self._to(self._out[0].packet.sent_ns, "waiting", client)
                self._explain(self._out[0])
                return
            self._gap(self._course.resolved_ns or self._course.started_ns, client)
            return
        for segments, far in ((self._out, self._server), (self._back, client)):
            missing = self._missing([each for each in segments if each.length], far)
            if missing is not None:
                self._to(missing.packet.sent_ns, "waiting", missing.packet.origin)
                self._explain(missing)
                return
        arrived = self._last(True, client)
        request = self._last(False, self._server)
        if request is not None and not any(each.length for each in self._back):
            arrived = request
        if arrived is not None:
            # The server's program has said no more.
            self._to(arrived[1].arrived_ns or 0, "hosts", self._server)
            self._along(arrived[1])
            self._explain(arrived[0])

    def _missing(self, segments: Sequence[Segment], node: str) -> Segment | None:
        """The first that never came there, and was not sent again with success either."""
        for segment in segments:
            if segment.resends is None and segment.arrival_at(node) is None:
                again = [each for each in segments if each.resends is segment]
                if not any(each.arrival_at(node) for each in again):
                    return segment
        return None

    def _far_end(self) -> str:
        """The node that the client's packets got to, where nothing came back."""
        ways = [hop for each in self._out for hop in each.packet.hops if hop.arrived_ns]
        last = max(ways, key=lambda hop: hop.arrived_ns or 0, default=None)
        return self._course.client if last is None else last.receiver_node


def _previous_data(segments: Sequence[Segment]) -> dict[int, Segment | None]:
    previous: dict[int, Segment | None] = {}
    latest = None
    for segment in segments:
        previous[id(segment)] = latest
        if segment.length and segment.resends is None:
            latest = segment
    return previous


def _ethertype(frame: bytes) -> int:
    return int.from_bytes(frame[12:_ETHERNET], "big")


def _is_icmp(frame: bytes) -> bool:
    return _ethertype(frame) == ETHERTYPE_IPV4 and frame[23] == PROTOCOL_ICMP


def _operation(frame: bytes) -> int:
    return int.from_bytes(frame[20:22], "big")


def _arp_of(frame: bytes) -> arp.ArpPacket:
    try:
        return arp.parse(frame, _ETHERNET)
    except WireError:
        nothing = bytes(4)
        return arp.ArpPacket(0, bytes(6), nothing, bytes(6), nothing)
