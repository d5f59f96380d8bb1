"""What can be set about TCP, with the values a Linux host has unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.core.time import MILLISECOND, SECOND


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """When to ask a silent peer whether it is still there (RFC 9293 3.8.4)."""

    idle_ns: int = 7200 * SECOND
    """Silence before the first probe; MUST default to no less than two hours."""
    interval_ns: int = 75 * SECOND
    """Between probes."""
    probes: int = 9
    """Unanswered probes after which the connection has timed out."""


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """Of one host. Sizes in bytes, times in ns."""

    receive_buffer: int = 4 << 20
    """Per connection: unread bytes and bytes out of order together; the largest window. What
    6 MiB hold in Linux (tcp_rmem), where a packet takes half as much again as is in it."""
    initial_receive_buffer: int = 65_535
    """The window before it is seen how much a program reads in a round trip (tcp_rmem: half of
    131,072)."""
    send_buffer: int = 4 << 20
    """Per connection: memory for what is taken from a program and not acknowledged, at most
    (tcp_wmem). What that holds is in `send_memory`."""
    header_room: int = 192
    """What each buffer of Linux has beside its data for headers (MAX_TCP_HEADER), in the kernel
    that docs/fidelity.md measures; 320 in one built with wireless drivers and tunnels, as many
    distributions have it, which so takes up to twice as much from a program."""
    initial_window: int = 10
    """Segments sent before the first acknowledgement (RFC 6928)."""
    congestion: str = "cubic"
    """A name registered in `congestion.py`."""
    no_delay: bool = False
    """New connections start with Nagle's algorithm switched off."""

    min_rto_ns: int = 200 * MILLISECOND
    """RFC 6298 (2.4) says one second, for clocks that ticked every half second. Linux uses
    200 ms, and users expect a loss to cost here what it costs there."""
    initial_rto_ns: int = SECOND
    """RFC 6298 (2.1)"""
    max_rto_ns: int = 120 * SECOND
    """RFC 6298 (2.5): at least 60 s."""
    delayed_ack_ns: int = 40 * MILLISECOND
    """The least that an acknowledgement waits for an answer to go with; it may come to 200 ms.
    RFC 9293 3.8.6.3: less than half a second."""
    msl_ns: int = 30 * SECOND
    """Maximum segment lifetime; TIME-WAIT lasts twice as long. RFC 9293 says two minutes,
    Linux waits 60 s in TIME-WAIT."""
    fin_timeout_ns: int = 60 * SECOND
    """How long FIN-WAIT-2 waits for the peer of a connection nobody owns any more."""

    steady_syn_retries: int = 4
    """SYNs repeated a second apart, before the interval doubles (Linux since 6.5:
    tcp_syn_linear_timeouts)."""
    syn_retries: int = 6
    """The same after those, each twice as late as the one before: 131 s in all."""
    syn_ack_retries: int = 5
    retries: int = 15
    """Retransmissions of the same data, or unanswered zero-window probes, before ETIMEDOUT:
    R2 of RFC 9293 3.8.3, about 15 minutes."""
    orphan_retries: int = 8
    """The same for a connection nobody owns any more."""
    orphan_limit: int = 8192
    """Connections nobody owns any more; who closes one more resets it (Linux: tcp_max_orphans)."""

    syn_backlog: int = 1024
    """Half-open connections per listener beyond which SYNs get cookies (RFC 4987 3.6)."""
    time_wait_limit: int = 8192
    """Connections in TIME-WAIT; beyond it the oldest ends early (Linux: tcp_max_tw_buckets)."""
    challenge_acks: int = 1000
    """Per host in a second (RFC 5961 7)."""
    challenge_interval_ns: int = 500 * MILLISECOND
    """Between two of one connection (Linux: tcp_invalid_ratelimit)."""

    ecn: bool = True
    """Say yes to peers that offer ECN (RFC 3168)."""
    request_ecn: bool = False
    """Offer it on connections that are opened here (Linux: tcp_ecn=1, where 2 is the default)."""
    selective_acknowledgement: bool = True
    timestamps: bool = True
    window_scaling: bool = True
