"""What `iperf` has measured: rates over times, of each stream and of all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from netsim.core.time import SECOND
from netsim.tools.iperf_streams import Address, Counted, Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class IperfRate:
    """What went through one end of one stream, or of all, in some time.

    Times are in ns of network time since the beginning.
    """

    start_ns: int
    end_ns: int
    size: int
    """Bytes that TCP took from the program, or gave it; those of datagrams, without headers."""
    retransmissions: int | None = None
    """Segments that were sent again; of a sender over TCP, as the next two."""
    cwnd_bytes: int | None = None
    """At the end."""
    rtt_ns: int | None = None
    """Smoothed, at the end."""
    rtt_variation_ns: int | None = None
    packets: int | None = None
    """Datagrams that were sent; at a receiver those that are known to have been."""
    lost: int | None = None
    """Datagrams; at a receiver, as what follows."""
    jitter_ns: float | None = None
    """RFC 3550 (6.4.1), at the end."""
    out_of_order: int | None = None

    @property
    def bitrate_bps(self) -> float:
        """bit/s, without headers; 0 where no time has passed."""
        lasted = self.end_ns - self.start_ns
        return self.size * 8 * SECOND / lasted if lasted else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class IperfStream:
    """One connection, or one flow of datagrams."""

    local: Address
    """At the client."""
    remote: Address
    intervals: tuple[IperfRate, ...]
    """As the client has counted them: what it sent, or with `reverse` what it received."""
    sent: IperfRate
    """All of it, at whoever sends."""
    received: IperfRate
    """And at whoever receives: until the last byte was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IperfReport:
    """How much one computer could send to another."""

    client: str
    server: str
    protocol: Literal["TCP", "UDP"]
    reverse: bool
    """Whether the server has sent."""
    duration_ns: int
    """As asked for."""
    bitrate_bps: int
    """As asked for of each stream, of UDP; else 0."""
    length: int
    """Bytes of a datagram; 0 over TCP."""
    streams: tuple[IperfStream, ...]
    is_interrupted: bool = False
    untrusted: str = ""
    """Why its times may be those of a busy machine, and not of the network; empty else."""

    @property
    def intervals(self) -> tuple[IperfRate, ...]:
        """Of all streams together."""
        return tuple(
            sum_of(each)
            for each in zip(*(stream.intervals for stream in self.streams), strict=True)
        )

    @property
    def sent(self) -> IperfRate:
        """Of all streams together."""
        return sum_of([stream.sent for stream in self.streams])

    @property
    def received(self) -> IperfRate:
        """Of all streams together: `received.bitrate_bps` is what the network carried."""
        return sum_of([stream.received for stream in self.streams])


def sum_of(rates: Sequence[IperfRate]) -> IperfRate:
    """Of several streams over the same time; the jitter is their mean, as in iperf3."""
    first = rates[0]
    if len(rates) == 1:
        return first
    return IperfRate(
        start_ns=min(rate.start_ns for rate in rates),
        end_ns=max(rate.end_ns for rate in rates),
        size=sum(rate.size for rate in rates),
        retransmissions=_sum(rate.retransmissions for rate in rates),
        packets=_sum(rate.packets for rate in rates),
        lost=_sum(rate.lost for rate in rates),
        jitter_ns=None
        if first.jitter_ns is None
        else sum(rate.jitter_ns or 0.0 for rate in rates) / len(rates),
        out_of_order=_sum(rate.out_of_order for rate in rates),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def rates_between(before: Counts, after: Counts, *, sends: bool, is_udp: bool) -> list[IperfRate]:
    """What each stream has counted from one time to another."""
    return [
        rate_of(before[0], after[0], *counted, sends=sends, is_udp=is_udp)
        for counted in zip(before[1], after[1], strict=True)
    ]


def rate_of(
    start_ns: int, end_ns: int, before: Counted, after: Counted, *, sends: bool, is_udp: bool
) -> IperfRate:
    """What one stream has counted meanwhile."""
    return IperfRate(
        start_ns=start_ns,
        end_ns=end_ns,
        size=after.octets - before.octets,
        packets=after.packets - before.packets if is_udp else None,
        retransmissions=after.retransmissions - before.retransmissions
        if sends and not is_udp
        else None,
        cwnd_bytes=after.congestion_window if sends and not is_udp else None,
        rtt_ns=after.smoothed_rtt_ns if sends and not is_udp else None,
        rtt_variation_ns=after.rtt_variation_ns if sends and not is_udp else None,
        lost=after.lost - before.lost if is_udp and not sends else None,
        jitter_ns=after.jitter_ns if is_udp and not sends else None,
        out_of_order=after.out_of_order - before.out_of_order if is_udp and not sends else None,
    )
