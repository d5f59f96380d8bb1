"""What ping found, and how iputils' ping words it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from netsim.wire import icmp
from netsim.wire.address import IpAddress, format_ip

_UNREACHABLE: Final = {
    0: "Destination Net Unreachable",
    1: "Destination Host Unreachable",
    2: "Destination Protocol Unreachable",
    3: "Destination Port Unreachable",
    5: "Source Route Failed",
    6: "Destination Net Unknown",
    7: "Destination Host Unknown",
    9: "Destination Net Prohibited",
    10: "Destination Host Prohibited",
    11: "Destination Net Unreachable for Type of Service",
    12: "Destination Host Unreachable for Type of Service",
    13: "Packet filtered",
    14: "Precedence Violation",
    15: "Precedence Cutoff",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `size` is in bytes, the ICMP header included."""

    sequence: int
    source: IpAddress
    ttl: int
    size: int
    rtt_ns: int
    """In network time."""
    wall_rtt_ns: int
    """By the clock of whoever watches: includes what the machine needed to simulate it."""
    is_duplicate: bool
    arrived_at: int
    """Network time in ns."""
    route: tuple[IpAddress, ...] = ()
    """What was recorded, there and back."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not answered but reported; `source` is None when it never left."""

    sequence: int
    source: IpAddress | None
    text: str


@dataclass(slots=True)
class Report:
    """Everything one run of ping has seen. Times are network time in ns."""

    target: str
    address: IpAddress
    data_bytes: int
    option_bytes: int = 0
    """Of the IP header."""
    sender: str = ""
    """Address and interface that were asked for: `10.0.1.10 eth0`."""
    transmitted: int = 0
    duplicates: int = 0
    """Answers beyond the first."""
    replies: list[Reply] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    started: int = 0
    ended: int = 0

    @property
    def received(self) -> int:
        """Requests that were answered."""
        return len(self.replies) - self.duplicates

    @property
    def loss_percent(self) -> float:
        """Requests without an answer."""
        if not self.transmitted:
            return 0.0
        return (self.transmitted - self.received) * 100 / self.transmitted

    @property
    def longest_rtt_ns(self) -> int:
        """0 while there is no reply."""
        return max((reply.rtt_ns for reply in self.replies), default=0)

    def heading(self) -> str:
        """The first line."""
        size, total = self.data_bytes, self.data_bytes + self.option_bytes + 28
        sender = f"from {self.sender}: " if self.sender else ""
        return (
            f"PING {self.target} ({format_ip(self.address)}) {sender}{size}({total}) bytes of data."
        )

    def statistics(self) -> list[str]:
        """The lines at the end."""
        counts = [f"{self.transmitted} packets transmitted", f"{self.received} received"]
        if self.duplicates:
            counts.append(f"+{self.duplicates} duplicates")
        if self.failures:
            counts.append(f"+{len(self.failures)} errors")
        counts.append(f"{self.loss_percent:g}% packet loss")
        counts.append(f"time {(self.ended - self.started) // 1_000_000}ms")
        lines = ["", f"--- {self.target} ping statistics ---", ", ".join(counts)]
        rtt = self.rtt_ms()
        if rtt is None:
            lines.append("")
        else:
            values = "/".join(f"{value:.3f}" for value in rtt.values())
            lines.append(f"rtt min/avg/max/mdev = {values} ms")
        return lines

    def rtt_ms(self) -> dict[str, float] | None:
        """`min`, `avg`, `max` and `mdev`, which is the population's standard deviation."""
        times = [reply.rtt_ns / 1_000_000 for reply in self.replies]
        if not times:
            return None
        average = math.fsum(times) / len(times)
        variance = math.fsum((time - average) ** 2 for time in times) / len(times)
        return {
            "min": min(times),
            "avg": average,
            "max": max(times),
            "mdev": math.sqrt(variance),
        }

    def document(self) -> dict[str, Any]:
        """All of it, ready for JSON; times in milliseconds."""
        return {
            "target": self.target,
            "address": format_ip(self.address),
            "data_bytes": self.data_bytes,
            "transmitted": self.transmitted,
            "received": self.received,
            "duplicates": self.duplicates,
            "errors": len(self.failures),
            "loss_percent": self.loss_percent,
            "time_ms": (self.ended - self.started) / 1_000_000,
            "rtt_ms": self.rtt_ms(),
            "replies": [
                {
                    "sequence": reply.sequence,
                    "from": format_ip(reply.source),
                    "bytes": reply.size,
                    "ttl": reply.ttl,
                    "rtt_ms": reply.rtt_ns / 1_000_000,
                    "wall_rtt_ms": reply.wall_rtt_ns / 1_000_000,
                    "duplicate": reply.is_duplicate,
                    **({"route": list(map(format_ip, reply.route))} if reply.route else {}),
                }
                for reply in self.replies
            ],
            "failures": [
                {
                    "sequence": failure.sequence,
                    "from": format_ip(failure.source) if failure.source else None,
                    "message": failure.text,
                }
                for failure in self.failures
            ],
        }


def reply_line(reply: Reply, shown_source: str) -> str:
    """`64 bytes from web (10.0.3.10): icmp_seq=1 ttl=62 time=5.61 ms`"""
    mark = " (DUP!)" if reply.is_duplicate else ""
    return (
        f"{reply.size} bytes from {shown_source}: icmp_seq={reply.sequence} ttl={reply.ttl} "
        f"time={_time_text(reply.rtt_ns)} ms{mark}"
    )


def route_text(
    route: Sequence[IpAddress], before: Sequence[IpAddress], shown: Callable[[IpAddress], str]
) -> str:
    """What `-R` adds behind a reply; `before` is the route of the reply before it."""
    if not route:
        return ""
    if route == before:
        return "\t(same route)"
    return "\nRR: " + "".join(f"\t{shown(address)}\n" for address in route)


def failure_text(message: icmp.IcmpMessage) -> str:
    """What an ICMP error says."""
    if message.type == icmp.DESTINATION_UNREACHABLE:
        if message.code == icmp.FRAGMENTATION_NEEDED:
            return f"Frag needed and DF set (mtu = {message.next_hop_mtu})"
        return _UNREACHABLE.get(message.code, f"Dest Unreachable, Bad Code: {message.code}")
    if message.type == icmp.TIME_EXCEEDED:
        if message.code == icmp.REASSEMBLY_TIME_EXCEEDED:
            return "Frag reassembly time exceeded"
        return "Time to live exceeded"
    if message.type == icmp.PARAMETER_PROBLEM:
        return f"Parameter problem: pointer = {message.rest >> 24}"
    return f"Bad ICMP type: {message.type}"


def _time_text(rtt_ns: int) -> str:
    """Milliseconds with three significant digits, as iputils rounds them."""
    microseconds = rtt_ns // 1000
    if microseconds >= 100_000 - 50:
        return f"{(microseconds + 500) // 1000}"
    if microseconds >= 10_000 - 5:
        return f"{(microseconds + 50) // 100 / 10:.1f}"
    if microseconds >= 1000:
        return f"{(microseconds + 5) // 10 / 100:.2f}"
    return f"{microseconds / 1000:.3f}"
