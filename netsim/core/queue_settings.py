"""What may wait before a transmitter, and what is dropped of it: limits and disciplines."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from netsim.core.attribute import attribute
from netsim.core.errors import UnitError
from netsim.core.units import (
    BOOLEAN,
    DURATION,
    PERCENTAGE,
    SIZE,
    Quantity,
    format_size,
    parse_duration,
    parse_size,
)

_MOST_PACKETS: Final = 10**9
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class QueueLimit:
    """What may wait for the transmitter; None for what does not limit it."""

    packets: int | None = None
    bytes: int | None = None

    def is_reached_by(self, packets: int, octets: int, length: int) -> bool:
        """Whether a frame of that `length` finds no room where so much waits."""
        return (self.packets is not None and packets >= self.packets) or (
            self.bytes is not None and octets + length > self.bytes
        )


def _parse_queue(written: object) -> QueueLimit:
    if isinstance(written, str) and written in QUEUE_DISCIPLINES:
        raise UnitError(f"a queue discipline has settings; write `{{{written}: {{}}}}`")
    if isinstance(written, str) and _DIGITS.fullmatch(written):
        written = int(written)
    if isinstance(written, int) and not isinstance(written, bool):
        packets = written
        if packets < 1:
            raise UnitError("a queue holds at least one packet; write `1` or more")
        if packets > _MOST_PACKETS:
            raise UnitError(f"a queue of {packets} packets is endless; write `{_MOST_PACKETS}`")
        return QueueLimit(packets=packets)
    try:
        size = parse_size(written)
    except UnitError as error:
        reason = str(error).partition(";")[0]
        raise UnitError(f"{reason}; write packets (`100`) or bytes (`256KiB`)") from None
    if size == 0:
        raise UnitError("a queue of 0 bytes holds nothing; write for example `64KiB`")
    return QueueLimit(bytes=size)


def _format_queue(limit: QueueLimit) -> int | str | None:
    return limit.packets if limit.bytes is None else format_size(limit.bytes)


QUEUE: Final = Quantity(
    "LIMIT",
    _parse_queue,
    _format_queue,
    {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": _MOST_PACKETS},
            {"type": "string", "pattern": "^0*([1-9][0-9]{0,8}|10{9})$"},
            SIZE.form,
        ]
    },
)


def _parse_flows(written: object) -> int:
    if isinstance(written, bool) or not isinstance(written, int) or not 1 <= written <= 65536:
        raise UnitError(f"`{written}` is no number of flows; write a whole number from 1 to 65536")
    return written


FLOWS: Final = Quantity(
    "NUMBER", _parse_flows, int, {"type": "integer", "minimum": 1, "maximum": 65536}
)


def _parse_quantum(written: object) -> int:
    size = parse_size(written)
    if not 256 <= size <= 1 << 20:
        raise UnitError("a quantum is from 256B to 1MiB; write about a frame, for example `1514B`")
    return size


QUANTUM: Final = dataclasses.replace(SIZE, parse=_parse_quantum)


def _parse_interval(written: object) -> int:
    interval = parse_duration(written)
    if interval < 1:
        raise UnitError("an interval takes time; write for example `100ms`")
    return interval


INTERVAL: Final = dataclasses.replace(DURATION, parse=_parse_interval)


@dataclass(frozen=True, slots=True)
class CodelQueue:
    """Drops what has waited too long for an interval (CoDel, RFC 8289)."""

    limit: QueueLimit = attribute(  # noqa: RUF009  # it is a dataclasses.field
        "limit", QUEUE, "What may wait at all.", default=QueueLimit(packets=1000)
    )
    target_ns: int = attribute("target", DURATION, "How long frames may wait.", default=5_000_000)
    interval_ns: int = attribute(
        "interval", INTERVAL, "About the largest usual round trip.", default=100_000_000
    )
    ecn: bool = attribute(
        "ecn", BOOLEAN, "Mark instead of dropping, where the sender can tell.", default=False
    )


@dataclass(frozen=True, slots=True)
class FqCodelQueue:
    """A queue for each flow, served in turn, each under CoDel (RFC 8290)."""

    limit: QueueLimit = attribute(  # noqa: RUF009
        "limit",
        QUEUE,
        "What may wait at all; the longest queue loses.",
        default=QueueLimit(packets=10240),
    )
    target_ns: int = attribute("target", DURATION, "How long frames may wait.", default=5_000_000)
    interval_ns: int = attribute(
        "interval", INTERVAL, "About the largest usual round trip.", default=100_000_000
    )
    ecn: bool = attribute(
        "ecn", BOOLEAN, "Mark instead of dropping, where the sender can tell.", default=True
    )
    flows: int = attribute("flows", FLOWS, "How many queues there are.", default=1024)
    quantum: int = attribute(
        "quantum", QUANTUM, "Bytes that a queue may send when it is its turn.", default=1514
    )


@dataclass(frozen=True, slots=True)
class RedQueue:
    """Drops at random, the more the longer the average queue is (Floyd and Jacobson 1993)."""

    min: QueueLimit = attribute(  # noqa: RUF009
        "min",
        QUEUE,
        "Average length up to which nothing is dropped, in packets or bytes.",
        default=QueueLimit(packets=5),
    )
    max: QueueLimit = attribute(  # noqa: RUF009
        "max",
        QUEUE,
        "Average length at which `probability` is reached; at twice that, all.",
        default=QueueLimit(packets=15),
    )
    probability: float = attribute(
        "probability", PERCENTAGE, "Share of frames that is dropped there.", default=0.1
    )
    weight: float = attribute(
        "weight", PERCENTAGE, "How much each frame counts in the average.", default=0.002
    )
    ecn: bool = attribute(
        "ecn", BOOLEAN, "Mark instead of dropping, where the sender can tell.", default=False
    )
    limit: QueueLimit = attribute(  # noqa: RUF009
        "limit", QUEUE, "What may wait at all.", default=QueueLimit(packets=1000)
    )


@dataclass(frozen=True, slots=True)
class PieQueue:
    """Drops at random so that frames wait about as long as the target (PIE, RFC 8033)."""

    limit: QueueLimit = attribute(  # noqa: RUF009
        "limit", QUEUE, "What may wait at all.", default=QueueLimit(packets=1000)
    )
    target_ns: int = attribute("target", INTERVAL, "How long frames may wait.", default=15_000_000)
    ecn: bool = attribute(
        "ecn", BOOLEAN, "Mark instead of dropping, where the sender can tell.", default=False
    )


Queue: TypeAlias = QueueLimit | CodelQueue | FqCodelQueue | RedQueue | PieQueue
DROP_TAIL: Final = "drop_tail"
"""The long form of a plain limit."""
QUEUE_DISCIPLINES: Final[dict[str, type[Any]]] = {
    "codel": CodelQueue,
    "fq_codel": FqCodelQueue,
    "red": RedQueue,
    "pie": PieQueue,
}


def describe_queue(queue: Queue) -> str:
    """`queue 100`, or the name of the discipline."""
    if isinstance(queue, QueueLimit):
        return f"queue {_format_queue(queue)}"
    return discipline_of(queue)


def discipline_of(queue: Queue) -> str:
    """`drop_tail`, `fq_codel` …"""
    names = {each: name for name, each in QUEUE_DISCIPLINES.items()}
    return names.get(type(queue), DROP_TAIL)
