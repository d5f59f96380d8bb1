"""Passive open: LISTEN, half-open connections and the accept queue (RFC 9293 3.10.7.2)."""

from __future__ import annotations

from collections import deque
from typing import Any

from netsim.stack.port_sharing import Sharing
from netsim.stack.tcp import handshake, header_prediction, syn_cookies
from netsim.stack.tcp.connection import Connection, Shared
from netsim.stack.tcp.endpoints import Endpoint, key_of
from netsim.stack.tcp.reset import refuse
from netsim.stack.tcp.seq import MASK
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.address import LIMITED_BROADCAST, is_multicast_ip
from netsim.wire.tcp import ACK, FIN, RST, SYN, TcpSegment


class Listener:
    """Takes connections to a port and hands them out in the order in which they completed.

    It puts itself into the host's `ready` when one waits.
    """

    __slots__ = (
        "_backlog",
        "_cookies_until",
        "_half_open",
        "_queue",
        "_shared",
        "_table",
        "_unseen",
        "group",
        "local",
        "sharing",
        "user_mss",
    )

    def __init__(
        self,
        shared: Shared,
        table: dict[tuple[bytes | None, int], Listener],
        local: tuple[bytes | None, int],
        backlog: int,
        sharing: Sharing,
    ) -> None:
        self._shared = shared
        self._table = table
        self.local = local
        """Address, None for any of this host's, and port."""
        self.sharing = sharing
        first = table.setdefault(local, self)
        self.group: list[Listener] = [] if first is self else first.group
        """Those that have this port together: each listens for its share of the peers."""
        self.group.append(self)
        self.user_mss = 0
        """`Connection.user_mss` of those that it takes."""
        self._backlog = max(backlog, 1)
        self._cookies_until = 0
        """Until when cookies may come back, in ns of network time."""
        self._half_open: dict[Connection, TcpSocket] = {}
        self._queue: deque[TcpSocket] = deque()
        self._unseen: dict[Any, None] = {}
        """`ready` of connections that nobody owns yet."""

    @property
    def waiting(self) -> int:
        """Connections that wait for `accept`."""
        return len(self._queue)

    @property
    def backlog(self) -> int:
        """How many may wait."""
        return self._backlog

    @backlog.setter
    def backlog(self, value: int) -> None:
        self._backlog = max(value, 1)

    def accept(self) -> TcpSocket | None:
        """The connection that has waited longest, or None; it may have ended meanwhile."""
        if not self._queue:
            return None
        connection = self._queue.popleft()
        connection.listener = None
        connection.ready = self._shared.ready
        if self._unseen.pop(connection, self) is None:
            connection.notify()
        return connection

    def close(self, now: int) -> None:
        """Listen no more, and reset the connections that nobody accepted."""
        if self in self.group:
            self.group.remove(self)
            if self.group:
                self._table[self.local] = self.group[0]
            else:
                del self._table[self.local]
        for connection in [*self._half_open.values(), *self._queue]:
            connection.listener = None
            connection.abort(now)
        self._half_open.clear()
        self._queue.clear()
        self._unseen.clear()
        self._shared.ready.pop(self, None)

    def receive(
        self,
        source: bytes,
        destination: bytes,
        segment: TcpSegment,
        iss: int | None,
        now: int,
    ) -> None:
        """A segment for our port that belongs to no connection; `iss` where a predecessor in
        TIME-WAIT demands a certain initial sequence number."""
        shared = self._shared
        flags = segment.flags
        if flags & RST:  # first
            return
        if (
            flags & (ACK | SYN) == ACK
            and now < self._cookies_until
            and self._cookie_returns(source, destination, segment, now)
        ):
            return
        if flags & ACK:  # second
            shared.counters.no_match += 1
            refuse(shared.ip, shared.drop, shared.counters, source, destination, segment, now)
            return
        # RFC 9293 3.9.2.3 (MUST-57): never for a SYN to many. Nobody begins and ends at once:
        # SYN with FIN is a scanner's (Linux is silent, too).
        if (
            flags & (SYN | FIN) != SYN
            or is_multicast_ip(destination)
            or destination == LIMITED_BROADCAST
        ):
            return
        # Third. A queue that is full drops the SYN: the client comes again in a second.
        if len(self._queue) >= self._backlog:
            shared.counters.syn_drops += 1
            return
        if len(self._half_open) >= shared.settings.syn_backlog:
            self._give_cookie(source, destination, segment, now)
            return
        remote: Endpoint = (source, segment.source_port)
        local: Endpoint = (destination, segment.destination_port)
        if iss is None:
            iss = shared.sequence_numbers.initial(key_of(remote, local), now)
        connection = self._open_half(local, remote, iss, now)
        handshake.synchronize(connection, segment, now)
        handshake.begin(connection, State.SYN_RECEIVED, now)

    def _open_half(self, local: Endpoint, remote: Endpoint, iss: int, now: int) -> TcpSocket:
        connection = TcpSocket(self._shared, local, remote, iss)
        connection.listener = self
        connection.ready = self._unseen
        connection.last_heard = now
        connection.user_mss = self.user_mss
        self._half_open[connection] = connection
        self._shared.connections[connection.key] = connection
        return connection

    # -- SYN cookies (RFC 4987 3.6)

    def _give_cookie(
        self, source: bytes, destination: bytes, segment: TcpSegment, now: int
    ) -> None:
        """Too many connections are half open: answer a SYN, and keep nothing."""
        shared = self._shared
        self._cookies_until = now + syn_cookies.LIFETIME
        shared.counters.cookies_sent += 1
        remote: Endpoint = (source, segment.source_port)
        local: Endpoint = (destination, segment.destination_port)
        handshake.answer_with_cookie(shared, local, remote, segment, self.user_mss, now)

    def _cookie_returns(
        self, source: bytes, destination: bytes, segment: TcpSegment, now: int
    ) -> bool:
        """Whether an acknowledgement brings back a cookie, and so completes a handshake."""
        shared = self._shared
        remote: Endpoint = (source, segment.source_port)
        local: Endpoint = (destination, segment.destination_port)
        cookie = segment.acknowledgement - 1 & MASK
        irs = segment.sequence - 1 & MASK
        mss = syn_cookies.mss_of(shared.sequence_numbers, key_of(remote, local), irs, cookie, now)
        if mss is None:
            return False
        shared.counters.cookies_returned += 1
        if len(self._queue) >= self._backlog:
            shared.counters.accept_drops += 1
            return True
        connection = self._open_half(local, remote, cookie, now)
        handshake.synchronize(connection, syn_cookies.offered_syn(segment, mss), now)
        handshake.resume(connection)
        header_prediction.segment_arrives(connection, segment, now)
        return True

    def completes(self, connection: Connection) -> bool:
        """Our SYN-ACK is acknowledged; whether there is room in the accept queue. If not, that
        acknowledgement counts as lost, as in Linux: the SYN-ACK will be sent again."""
        if len(self._queue) >= self._backlog:
            self._shared.counters.accept_drops += 1
            return False
        self._shared.counters.passive_opens += 1
        self._queue.append(self._half_open.pop(connection))
        self._shared.ready[self] = None
        return True

    def lost(self, connection: Connection) -> None:
        """A connection ended before it was accepted; one that was open is handed out still,
        with what it received."""
        if self._half_open.pop(connection, None) is not None:
            self._unseen.pop(connection, None)  # nobody will ever look
