"""The state of one connection, the transmission control block of RFC 9293 3.3.1.

A record: it sends nothing. `sender` and `receiver` hold the two halves of the stream; what
arriving segments do to it is in `arrival`, `syn_sent` and `handshake`, what timers do in
`timeouts`, and what its owner does in `tcp_socket`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from netsim.core.host_faults import ConnectionFault
from netsim.stack.tcp.endpoints import Endpoint, key_of
from netsim.stack.tcp.isn import SequenceNumbers
from netsim.stack.tcp.receiver import Receiver
from netsim.stack.tcp.rtt import RoundTrip
from netsim.stack.tcp.sender import Sender
from netsim.stack.tcp.settings import KeepAlive, TcpSettings
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.time_wait import TimeWaitTable
from netsim.stack.tcp.transmitter import IpLayer, Transmitter
from netsim.stack.timers import Timer, Timers
from netsim.wire.tcp import HEADER_LENGTH

_IP_HEADER: Final = {4: 20, 16: 40}
"""Octets, by those of an address."""
TIMESTAMP_LENGTH: Final = 12
"""Octets that the timestamps option takes in every segment."""


def own_mss(ip: IpLayer, remote: bytes, user_mss: int) -> int:
    """Octets of data in a segment without options that the path to `remote` takes, and the program
    wants; 0 for as many as may be."""
    mss = ip.mtu_to(remote) - _IP_HEADER[len(remote)] - HEADER_LENGTH
    return min(mss, user_mss) if user_mss else mss


class AcceptQueue(Protocol):
    """What a connection knows of the listener that it came through."""

    def completes(self, connection: Connection) -> bool:
        """Our SYN-ACK is acknowledged; whether there is room in the accept queue."""

    def lost(self, connection: Connection) -> None:
        """The connection ended before it was accepted."""


class ConnectionTrouble(Protocol):
    """Faults that a connection suffers on purpose; see `connection_faults`."""

    def suffer(self, faults: list[ConnectionFault]) -> None:
        """These are in force now."""

    def written(self) -> None:
        """The owner has written something."""

    def delays_fin(self) -> bool:
        """The owner has closed: whether the FIN has to wait."""

    def flushed(self, now: int) -> None:
        """What the owner did is about to have its effect."""

    def arrived(self, now: int) -> None:
        """A segment of the peer's was processed."""


@dataclass(slots=True, eq=False)
class Shared:
    """What the connections of one host have in common."""

    ip: IpLayer
    timers: Timers
    ready: dict[Any, None]
    """Where a connection or listener puts itself when its owner should look at it."""
    settings: TcpSettings
    sequence_numbers: SequenceNumbers
    drop: Callable[[str], None]
    """Told the reason for which a packet is dropped."""
    counters: TcpCounters
    time_wait: TimeWaitTable
    connections: dict[bytes, Connection] = field(default_factory=dict)
    """By `key_of`, in any state but TIME-WAIT."""
    challenges: int = 0
    """Challenge ACKs since `challenges_since`."""
    challenges_since: int = 0
    orphans: int = 0
    """Connections that nobody owns any more."""
    dirty: dict[Connection, None] = field(default_factory=dict)
    """Connections whose owner did something that may make segments leave."""


class Connection:
    """Everything there is to know about one connection, in any state but TIME-WAIT."""

    __slots__ = (
        "abort_wanted",
        "challenged_at",
        "closed",
        "connected",
        "error",
        "has_read",
        "idle_timer",
        "keep_alive",
        "keep_alive_probed_at",
        "keep_alive_probes",
        "key",
        "last_heard",
        "linger_reset",
        "listener",
        "local",
        "opened_at",
        "orphan",
        "path_changed",
        "peer_mss",
        "ready",
        "receiver",
        "remote",
        "retransmission_timer",
        "scaling",
        "sender",
        "shared",
        "soft_error",
        "stalled_since",
        "state",
        "syn_sent_at",
        "transmitter",
        "trouble",
        "user_mss",
        "user_timeout_ns",
    )

    def __init__(self, shared: Shared, local: Endpoint, remote: Endpoint, iss: int) -> None:
        settings = shared.settings
        self.shared = shared
        self.local = local
        """Our address and port."""
        self.remote = remote
        """The peer's address and port."""
        self.key = key_of(remote, local)
        self.state = State.CLOSED
        self.error: int | None = None
        """The errno that ended the connection; None if it lives or ended well."""
        self.connected = False
        """The handshake is through."""
        self.closed = False
        """Nothing will happen any more as far as the owner is concerned: reset, timed out, or
        both FINs are exchanged. Data that came before can still be received."""
        self.ready = shared.ready
        self.listener: AcceptQueue | None = None
        """Who has it until it is accepted."""
        self.orphan = False
        """The owner called `close`: nobody reads any more."""
        self.linger_reset = False
        """`close` resets (SO_LINGER with a time of zero)."""
        self.user_mss = 0
        """The most that the program wants in a segment, either way (TCP_MAXSEG); 0 leaves it to the
        path."""
        self.user_timeout_ns = 0
        """How long data may be unacknowledged (TCP_USER_TIMEOUT, RFC 5482); 0 leaves it to the
        number of retries."""
        self.stalled_since = 0
        """When what the timer goes off for left first."""
        self.soft_error: int | None = None
        """What ICMP reported; becomes `error` if the connection times out."""
        self.retransmission_timer = Timer(shared.timers)
        self.idle_timer = Timer(shared.timers)
        """Keep-alive, and in FIN-WAIT-2 the end of the wait for the peer of an orphan."""
        round_trip = RoundTrip(settings)
        timestamp_offset = shared.sequence_numbers.timestamp_offset(self.key)
        self.receiver = Receiver(settings, Timer(shared.timers), round_trip, timestamp_offset)
        self.transmitter = Transmitter(
            shared.ip,
            shared.drop,
            local,
            remote,
            self.receiver,
            timestamp_offset,
            shared.counters,
        )
        self.sender = Sender(
            iss, self.transmitter, self.retransmission_timer, settings, shared.counters, round_trip
        )
        self.peer_mss = 0
        """What the peer's MSS option said, or the default without one."""
        self.scaling = False
        """Both SYNs carried a window scale."""
        self.opened_at: int | None = 0
        """When the SYN or SYN-ACK left first; None where nobody knows."""
        self.syn_sent_at = 0
        """When it left last."""
        self.last_heard = 0
        self.keep_alive: KeepAlive | None = None
        self.keep_alive_probes = 0
        """Unanswered so far."""
        self.keep_alive_probed_at = 0
        self.challenged_at: int | None = None
        """When the last challenge ACK left."""
        self.abort_wanted = False
        """The owner closed it with data unread: a RST is to leave."""
        self.path_changed = False
        """The path's MTU is to be looked up again when there is a time."""
        self.has_read = False
        """The peer may have to hear that the owner has read."""
        self.trouble: ConnectionTrouble | None = None

    def __repr__(self) -> str:
        (local, port), (remote, remote_port) = self.local, self.remote
        return f"<Connection {local.hex('.')}:{port} {remote.hex('.')}:{remote_port} {self.state}>"

    def mark_dirty(self) -> None:
        """Have `Tcp.flush` see to it before the runtime waits."""
        self.shared.dirty[self] = None

    def notify(self) -> None:
        """Have the owner look."""
        self.ready[self] = None

    def disown(self) -> bool:
        """The owner closes it: whether it may live on without."""
        self.orphan = True
        shared = self.shared
        shared.orphans += 1
        if shared.orphans <= shared.settings.orphan_limit:
            return True
        shared.counters.orphan_overflows += 1
        return False

    def queue_fin(self) -> None:
        """A FIN follows what is buffered; it leaves at the next flush."""
        self.sender.buffer.fin_queued = True
        if self.state is State.ESTABLISHED:
            self.state = State.FIN_WAIT_1
        elif self.state is State.CLOSE_WAIT:
            self.state = State.LAST_ACK
        self.mark_dirty()

    def own_mss(self) -> int:
        """What we announce and, at most, send; without options (RFC 6691)."""
        return own_mss(self.shared.ip, self.remote[0], self.user_mss)

    def segment_size(self) -> int:
        """Octets of data that fit into a segment: Eff.snd.MSS (RFC 9293 3.7.1)."""
        mss = min(self.peer_mss, self.own_mss())
        if self.transmitter.timestamps:
            mss -= TIMESTAMP_LENGTH
        search = self.sender.search
        return mss if search is None else min(mss, search.low)

    def fail(self, error: int) -> None:
        """End with an error; a time-out for which ICMP gave a reason ends with that."""
        if error == errno.ETIMEDOUT:
            self.shared.counters.connection_timeouts += 1
            if self.soft_error is not None:
                error = self.soft_error
        if not self.connected:
            self.shared.counters.connect_failures += 1
        self.end(error)

    def end(self, error: int | None) -> None:
        """Leave the host's tables: CLOSED, or TIME-WAIT, which is kept elsewhere."""
        self.state = State.CLOSED
        self.error = error
        self.closed = True
        self.sender.established = False
        for timer in (self.retransmission_timer, self.idle_timer, self.receiver.acks.timer):
            timer.retire()
        shared = self.shared
        if shared.connections.get(self.key) is self:
            del shared.connections[self.key]
            shared.orphans -= self.orphan
        shared.dirty.pop(self, None)
        self.notify()
        if self.listener is not None:
            self.listener.lost(self)

    def enter_time_wait(self, now: int) -> None:
        """Both FINs are exchanged and we closed first: the owner is done, the addresses wait."""
        self.end(None)
        self.state = State.TIME_WAIT
        self.shared.time_wait.add(
            self.key, self.local, self.remote, self.transmitter, self.sender.nxt, now
        )
