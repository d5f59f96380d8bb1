"""What iperf3 prints of a measurement: its lines, and its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from netsim.core.time import MICROSECOND, MILLISECOND, SECOND
from netsim.tools.iperf_report import IperfRate, IperfReport, sum_of
from netsim.tools.iperf_streams import Address

RULE: Final = " ".join("-" * 25)
_FIRST_NUMBER: Final = 5
"""Of streams: the descriptor of the first one's socket in iperf3."""

Ends = Sequence[tuple[Address, Address]]


def number_of(index: int) -> int:
    """What a stream is called."""
    return _FIRST_NUMBER + 2 * index


def opening(host: str, port: int, ends: Ends, *, reverse: bool) -> Iterator[str]:
    """Before the first interval, when all streams are there."""
    yield f"Connecting to host {host}, port {port}"
    if reverse:
        yield f"Reverse mode, remote host {host} is sending"
    for index, (local, remote) in enumerate(ends):
        yield (
            f"[{number_of(index):3d}] local {local[0]} port {local[1]} "
            f"connected to {remote[0]} port {remote[1]}"
        )


def heading(*, is_udp: bool, sends: bool) -> str:
    """Above the intervals."""
    columns = "[ ID] Interval           Transfer     Bitrate"
    if is_udp:
        return columns + ("         Total Datagrams" if sends else _UDP_COLUMNS)
    return columns + ("         Retr  Cwnd" if sends else "")


def interval(rates: Sequence[IperfRate], *, is_last: bool) -> Iterator[str]:
    """The lines of one."""
    for index, rate in enumerate(rates):
        yield f"[{number_of(index):3d}] {_rate(rate)}{_details(rate)}".rstrip()
    if len(rates) > 1:
        total = sum_of(rates)
        yield f"[SUM] {_rate(total)}{_details(total)}".rstrip()
        if not is_last:
            yield RULE


def summary(report: IperfReport) -> Iterator[str]:
    """The last lines."""
    is_udp = report.protocol == "UDP"
    yield RULE
    yield "[ ID] Interval           Transfer     Bitrate" + (
        _UDP_COLUMNS if is_udp else "         Retr"
    )
    sides = [
        (f"[{number_of(index):3d}]", stream.sent, stream.received)
        for index, stream in enumerate(report.streams)
    ]
    if len(sides) > 1:
        sides.append(("[SUM]", report.sent, report.received))
    for name, sent, received in sides:
        if is_udp:
            yield f"{name} {_rate(sent)}  0.000 ms  0/{sent.packets} (0%)  sender"
            yield f"{name} {_rate(received)}{_details(received)}  receiver"
        else:
            yield f"{name} {_rate(sent)}  {sent.retransmissions:3d}             sender"
            yield f"{name} {_rate(received)}                  receiver"


_UDP_COLUMNS: Final = "         Jitter    Lost/Total Datagrams"


def _rate(rate: IperfRate) -> str:
    start, end = rate.start_ns / SECOND, rate.end_ns / SECOND
    bits = _scaled(rate.bitrate_bps, 1000, "bits")
    return f"{start:6.2f}-{end:<6.2f} sec  {_scaled(rate.size, 1024, 'Bytes')}  {bits}/sec"


def _details(rate: IperfRate) -> str:
    if rate.jitter_ns is not None:
        return f"  {rate.jitter_ns / MILLISECOND:5.3f} ms  {_lost(rate)}"
    if rate.packets is not None:
        return f"  {rate.packets}"
    if rate.retransmissions is None:
        return ""
    window = "" if rate.cwnd_bytes is None else f"   {_scaled(rate.cwnd_bytes, 1024, 'Bytes')}"
    return f"  {rate.retransmissions:3d}{window}"


def _lost(rate: IperfRate) -> str:
    return f"{rate.lost}/{rate.packets} ({_percent(rate):.2g}%)"


def _percent(rate: IperfRate) -> float:
    return 100 * (rate.lost or 0) / rate.packets if rate.packets else 0.0


def _scaled(number: float, base: int, unit: str) -> str:
    """Three digits, and the largest unit that leaves at least one before the point."""
    letters = iter(["", "K", "M", "G", "T"])
    letter = next(letters)
    while number >= base and letter != "T":
        number /= base
        letter = next(letters)
    if number < 9.995:
        return f"{number:4.2f} {letter}{unit}"
    if number < 99.95:
        return f"{number:4.1f} {letter}{unit}"
    return f"{number:4.0f} {letter}{unit}"


# JSON -----------------------------------------------------------------------------------------


def document(report: IperfReport) -> dict[str, Any]:
    """With the keys of iperf3, as far as they mean anything here."""
    sends = not report.reverse
    first = report.streams[0]
    intervals = [
        {
            "streams": [
                {"socket": number_of(index), **_rate_document(rate, sends)}
                for index, rate in enumerate(rates)
            ],
            "sum": _rate_document(sum_of(rates), sends),
        }
        for rates in zip(*(stream.intervals for stream in report.streams), strict=True)
    ]
    return {
        "start": {
            "connected": [
                {
                    "socket": number_of(index),
                    "local_host": stream.local[0],
                    "local_port": stream.local[1],
                    "remote_host": stream.remote[0],
                    "remote_port": stream.remote[1],
                }
                for index, stream in enumerate(report.streams)
            ],
            "connecting_to": {"host": report.server, "port": first.remote[1]},
            "test_start": {
                "protocol": report.protocol,
                "num_streams": len(report.streams),
                "blksize": report.length,
                "duration": report.duration_ns / SECOND,
                "reverse": int(report.reverse),
                "target_bitrate": report.bitrate_bps,
            },
        },
        "intervals": intervals,
        "end": {
            "streams": [
                {
                    "sender": {
                        "socket": number_of(index),
                        **_rate_document(stream.sent, sender=True),
                    },
                    "receiver": {
                        "socket": number_of(index),
                        **_rate_document(stream.received, sender=False),
                    },
                }
                for index, stream in enumerate(report.streams)
            ],
            "sum_sent": _rate_document(report.sent, sender=True),
            "sum_received": _rate_document(report.received, sender=False),
        },
        "untrusted": report.untrusted,
    }


def _rate_document(rate: IperfRate, sender: bool) -> dict[str, Any]:
    start, end = rate.start_ns / SECOND, rate.end_ns / SECOND
    found: dict[str, Any] = {
        "start": start,
        "end": end,
        "seconds": (rate.end_ns - rate.start_ns) / SECOND,
        "bytes": rate.size,
        "bits_per_second": rate.bitrate_bps,
    }
    if rate.retransmissions is not None:
        found["retransmits"] = rate.retransmissions
    if rate.cwnd_bytes is not None:
        found["snd_cwnd"] = rate.cwnd_bytes
    if rate.rtt_ns is not None and rate.rtt_variation_ns is not None:
        found["rtt"] = rate.rtt_ns // MICROSECOND
        found["rttvar"] = rate.rtt_variation_ns // MICROSECOND
    if rate.packets is not None:
        found["packets"] = rate.packets
    if rate.jitter_ns is not None:
        found["jitter_ms"] = rate.jitter_ns / MILLISECOND
        found["lost_packets"] = rate.lost
        found["lost_percent"] = _percent(rate)
        found["out_of_order"] = rate.out_of_order
    return found | {"sender": sender}
