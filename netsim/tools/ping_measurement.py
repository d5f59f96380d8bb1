"""A ping whose outcome is numbers. Runs on a computer or router."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from netsim.core.time import SECOND
from netsim.tools.echo_series import Pings, Series
from netsim.tools.ping_report import Failure, Report
from netsim.tools.resolve import address_of, computer_loop
from netsim.wire.address import format_ip


@dataclass(frozen=True, slots=True)
class PingReport:
    """What became of some echo requests. Times are network time in ns."""

    sent: int
    received: int
    """Requests that were answered in time."""
    duplicates: int
    """Answers beyond the first to a request."""
    rtts_ns: tuple[int, ...]
    """Round trips of those received, in the order of arrival."""
    errors: tuple[str, ...] = ()
    """What routers, or this node itself, had to say about requests."""
    arrived_at: tuple[int, ...] = ()
    """The network time at the end of each of `rtts_ns`."""
    ttls: tuple[int, ...] = ()
    """The TTL with which each of them arrived."""
    lost: tuple[int, ...] = ()
    """Numbers of the requests, from 1, that were not answered in time."""
    untrusted: str = ""
    """Why its times may be those of a busy machine, and not of the network; empty else."""

    @property
    def loss(self) -> float:
        """The part of the requests, 0..1, that was not answered in time."""
        return 1 - self.received / self.sent if self.sent else 0.0

    @property
    def min_ns(self) -> int | None:
        """The shortest round trip; None, as all of these, when nothing was received."""
        return min(self.rtts_ns, default=None)

    @property
    def max_ns(self) -> int | None:
        return max(self.rtts_ns, default=None)

    @property
    def avg_ns(self) -> float | None:
        return math.fsum(self.rtts_ns) / len(self.rtts_ns) if self.rtts_ns else None

    @property
    def median_ns(self) -> float | None:
        """As many were faster as were slower."""
        return statistics.median(self.rtts_ns) if self.rtts_ns else None

    @property
    def stddev_ns(self) -> float | None:
        """The population's standard deviation, which ping calls mdev."""
        return statistics.pstdev(self.rtts_ns) if self.rtts_ns else None


async def ping(to: str, count: int, interval: float, timeout: float, size: int) -> PingReport:
    """Send `count` requests with `size` bytes of data, one each `interval` seconds.

    An answer counts when it comes within `timeout` seconds. UnknownNameError for a name that
    nobody has; a missing route is not an error, but loss.
    """
    loop = computer_loop()
    report = Report(to, await address_of(to), size)
    series = Series(
        count=count, interval=interval, data_bytes=size, linger=timeout, is_measurement=True
    )
    await Pings(series, report, loop, wall_clock=loop.network_now).exchange()
    in_time = [reply for reply in report.replies if reply.rtt_ns <= timeout * SECOND]
    first = [reply for reply in in_time if not reply.is_duplicate]
    answered = {reply.sequence for reply in first}
    return PingReport(
        sent=report.transmitted,
        received=len(first),
        duplicates=len(in_time) - len(first),
        rtts_ns=tuple(reply.rtt_ns for reply in first),
        arrived_at=tuple(reply.arrived_at for reply in first),
        ttls=tuple(reply.ttl for reply in first),
        errors=tuple(map(_error_text, report.failures)),
        lost=tuple(number for number in range(1, report.transmitted + 1) if number not in answered),
    )


def _error_text(failure: Failure) -> str:
    if failure.source is None:
        return failure.text
    return f"{failure.text} (from {format_ip(failure.source)})"
