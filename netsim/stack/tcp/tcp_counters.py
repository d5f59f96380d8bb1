"""What a host's TCP counts; names after the Linux SNMP and TcpExt counters where they fit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TcpCounters:
    """Segments and events since the host started."""

    active_opens: int = 0
    passive_opens: int = 0
    connect_failures: int = 0
    segments_in: int = 0
    segments_out: int = 0
    resets_in: int = 0
    resets_out: int = 0

    retransmissions: int = 0
    """Segments sent again, for whatever reason."""
    timeouts: int = 0
    """Of the retransmission timer with data outstanding."""
    fast_recoveries: int = 0
    """Times that three duplicate acknowledgements or SACK told of a loss."""
    congestion_echoes: int = 0
    """Times that the window was reduced because a router had marked (RFC 3168)."""
    loss_probes: int = 0
    """Tail loss probes (RFC 8985 7)."""
    duplicates_reported: int = 0
    """D-SACKs that came."""
    spurious_timeouts: int = 0
    """Timeouts that F-RTO found to be needless."""
    undone: int = 0
    """Reductions of the window that were taken back, as nothing had been lost."""
    zero_window_probes: int = 0
    keep_alive_probes: int = 0
    black_holes: int = 0
    """Times that segments were made smaller because large ones vanished."""
    mtu_probes: int = 0
    """Larger segments sent to see whether they arrive again."""
    challenge_acks: int = 0
    connection_timeouts: int = 0
    """Connections given up after the last retry."""

    out_of_order: int = 0
    """Segments kept for later because something before them is missing."""
    duplicates: int = 0
    """Segments whose data had all arrived before."""
    out_of_window: int = 0
    beyond_buffer: int = 0
    """Segments dropped because the reassembly queue has too many holes."""
    old_timestamps: int = 0
    """Dropped by PAWS."""
    bad_acknowledgements: int = 0
    no_match: int = 0
    """Segments for no connection and no listener."""
    syn_drops: int = 0
    """SYNs dropped because too many connections wait to be accepted."""
    cookies_sent: int = 0
    """SYN cookies given out because too many connections are half open."""
    cookies_returned: int = 0
    accept_drops: int = 0
    """Handshakes whose last step was ignored because the accept queue is full."""
    time_wait_overflows: int = 0
    orphan_overflows: int = 0
    """Connections reset at their close because too many live on without an owner."""
    icmp_out_of_window: int = 0
    """ICMP errors that quote what is not outstanding, of a connection or of none (RFC 5927)."""
