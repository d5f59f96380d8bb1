"""The phases of a request, and what it waited for in each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from netsim.observe.tcp_packets import Arrivals, Segment

Phase: TypeAlias = Literal[
    "name lookup", "ARP", "handshake", "TLS", "request", "server", "response"
]
PHASES: Final[tuple[Phase, ...]] = (
    *("name lookup", "ARP", "handshake", "TLS", "request", "server", "response"),
)  # fmt: skip
Kind: TypeAlias = Literal["propagation", "serialisation", "queueing", "waiting", "hosts"]
KINDS: Final[tuple[Kind, ...]] = (
    *("propagation", "serialisation", "queueing", "waiting", "hosts"),
)  # fmt: skip
Wait: TypeAlias = tuple[int, int, Kind, str, bool]
"""From when to when it waited for what and where, and whether that was about ARP; ns."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a request waited for during some time; ns of network time."""

    start_ns: int
    end_ns: int
    phase: Phase
    kind: Kind
    """On cables, onto cables, in queues; `waiting` for something to be sent again, or for an answer
    that never came; `hosts` is all that nodes and programs took."""
    where: str
    """A node, or the interface whose queue or cable it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is known of a request beside its packets. Times are network time in ns."""

    client: str
    started_ns: int
    ended_ns: int
    resolved_ns: int | None
    """The name had an address; None where it got none."""
    tls_ns: int | None = None
    """TLS was ready; None without it, or where it never was."""
    is_tls: bool = False
    has_reply: bool = True
    """Whether the whole reply was there."""
    tolerance_ns: int = 0
    """Within which what follows an arrival at a node is its consequence."""


def phases_of(spans: Sequence[Span]) -> Callable[[int], Phase]:
    """Tells in which phase something was sent at a time, ARP apart.

    Before the first one there may be ARP, which what is sent then waits for: it is of the first.
    """
    own = [span for span in spans if span.phase != "ARP"]
    starts = [span.start_ns for span in own]

    def phase_at(at: int) -> Phase:
        place = bisect_right(starts, at)
        return own[max(place - 1, 0)].phase if own else "name lookup"

    return phase_at


def in_phases(
    waits: Iterable[Wait],
    course: Course,
    out: Sequence[Segment],
    back: Sequence[Segment],
    server: str,
) -> list[Span]:
    """What was waited for, cut where one phase ends and the next begins.

    `out` and `back` are the connection's segments, from the client and to it.
    """
    borders = _borders(course, out, back, server)
    spans: list[Span] = []
    for start, end, kind, where, is_arp in waits:
        if is_arp:
            spans.append(Span(start, end, "ARP", kind, where))
            continue
        for phase, until in borders:
            if start < until and start < end:
                cut = min(end, until)
                spans.append(Span(start, cut, phase, kind, where))
                start = cut
    return spans


def _borders(
    course: Course, out: Sequence[Segment], back: Sequence[Segment], server: str
) -> list[tuple[Phase, int]]:
    """Each phase with the time at which it was over; the last one never is."""
    never = course.ended_ns + 1
    opened = Arrivals([each for each in back if each.is_syn], course.client).last(course.ended_ns)
    borders: list[tuple[Phase, int | None]] = [
        ("name lookup", course.resolved_ns),
        ("handshake", None if opened is None else opened[1].arrived_ns),
    ]
    since = 0
    if course.is_tls:
        borders.append(("TLS", course.tls_ns))
        since = course.tls_ns or never
    asked = [each for each in out if each.length and each.packet.sent_ns >= since]
    came = [hop.arrived_ns or 0 for each in asked if (hop := each.arrival_at(server))]
    first = min(came, default=never)
    answers = [each.packet.sent_ns for each in back if each.length and each.packet.sent_ns >= first]
    answered = min(answers, default=None)
    request = Arrivals(asked, server).last(course.ended_ns if answered is None else answered)
    borders.append(("request", None if request is None else request[1].arrived_ns))
    borders += [("server", answered), ("response", None)]
    found: list[tuple[Phase, int]] = []
    for phase, until in borders:
        found.append((phase, never if until is None else until))
        if until is None:
            break
    return found
