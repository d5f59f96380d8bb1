"""TCP of one host: where segments come in, connections begin, and both are told apart."""

from __future__ import annotations

from random import Random
from typing import Any

from netsim.stack.socket_errors import AddressInUseError
from netsim.stack.tcp import handshake, path_errors
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.ephemeral_ports import ephemeral_port
from netsim.stack.tcp.isn import SequenceNumbers
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.reset import refuse
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.shared import Endpoint, Shared, key_of
from netsim.stack.tcp.state import State
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.transmitter import PROTOCOL, IpSender
from netsim.stack.tcp.view import ConnectionView, ListenerView, view_connection, view_time_wait
from netsim.stack.timers import Timers
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.tcp import parse


class Tcp:
    """The transport between a host's IP layer and the owners of its connections.

    `ready` is filled with the connections and listeners whose owners should look at them.
    Addresses are packed, whatever the family; times are ns of network time.
    """

    __slots__ = ("_listeners", "_random", "_shared")

    def __init__(
        self,
        ip: IpSender,
        timers: Timers,
        random: Random,
        ready: dict[Any, None],
        *,
        settings: TcpSettings = TcpSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._random = random
        self._shared = Shared(ip, timers, ready, settings, SequenceNumbers(random))
        self._listeners: dict[tuple[bytes | None, int], Listener] = {}

    @property
    def counters(self) -> TcpCounters:
        """What happened since the host started."""
        return self._shared.counters

    @property
    def settings(self) -> TcpSettings:
        """What new connections get."""
        return self._shared.settings

    @property
    def dirty(self) -> bool:
        """Whether `flush` has something to do."""
        return bool(self._shared.dirty)

    # -- the IP layer's side

    def receive(self, source: bytes, destination: bytes, data: bytes, now: int) -> None:
        """A segment came in an IP packet; WireError if it is malformed."""
        segment = parse(data, pseudo_header_sum(source, destination, PROTOCOL))
        shared = self._shared
        shared.counters.segments_in += 1
        key = source + destination + data[:4]
        connection = shared.connections.get(key)
        if connection is not None:
            connection.receive(segment, now)
            return
        port = segment.destination_port
        listener = self._listeners.get((destination, port)) or self._listeners.get((None, port))
        iss = None
        waiting = shared.waiting.get(key)
        if waiting is not None:
            iss = None if listener is None else waiting.successor_iss(segment)
            if iss is None:
                waiting.receive(segment, now)
                return
            waiting.end()
        if listener is not None:
            listener.receive(source, destination, segment, iss, now)
            return
        shared.counters.no_match += 1
        refuse(shared.ip, shared.counters, source, destination, segment, now)

    def icmp_error(
        self,
        source: bytes,
        destination: bytes,
        segment_head: bytes,
        kind: int,
        code: int,
    ) -> bool:
        """An ICMP error quotes a segment that we sent from `source` to `destination`.

        `segment_head` is the IP payload it quotes; less than eight octets are ignored. Whether
        it is about something outstanding: of "fragmentation needed" IP takes note then.
        """
        if len(segment_head) < 8:
            return False
        key = destination + source + segment_head[2:4] + segment_head[:2]
        connection = self._shared.connections.get(key)
        if connection is None:
            self._shared.counters.icmp_out_of_window += 1
            return False
        return path_errors.icmp_error_arrives(connection, segment_head, kind, code)

    def path_changed(self, destination: bytes | None, now: int | None) -> None:
        """`mtu_to` may have another answer for `destination`, or for all; connections take note
        now, or without a time at the next `flush`."""
        for connection in self._shared.connections.values():
            if destination is None or connection.remote[0] == destination:
                connection.path_changed(now)

    # -- the owners' side

    def connect(
        self, remote: Endpoint, now: int, *, local: tuple[bytes | None, int] = (None, 0)
    ) -> Connection:
        """Active open: the SYN leaves at once.

        Raises NoRouteError, AddressInUseError when `local` is connected to `remote` already,
        AddressNotAvailableError when no ephemeral port is left.
        """
        shared = self._shared
        source = shared.ip.source_for(remote[0])
        address = source if local[0] is None else local[0]

        def is_free(port: int) -> bool:
            key = key_of(remote, (address, port))
            return key not in shared.connections and key not in shared.waiting

        port = local[1] or ephemeral_port(
            self._random, lambda port: is_free(port) and not self._is_listened_on(address, port)
        )
        if not is_free(port):
            raise AddressInUseError(f"port {port} is connected to that peer already")
        endpoint = (address, port)
        iss = shared.sequence_numbers.initial(key_of(remote, endpoint), now)
        connection = Connection(shared, endpoint, remote, iss)
        shared.connections[connection.key] = connection
        shared.counters.active_opens += 1
        connection.last_heard = now
        handshake.begin(connection, State.SYN_SENT, now)
        return connection

    def listen(self, address: bytes | None, port: int, *, backlog: int = 128) -> Listener:
        """Passive open on `address`, None for any; port 0 takes a free one. AddressInUseError
        if somebody listens there."""
        if port == 0:
            port = ephemeral_port(
                self._random, lambda candidate: not self._is_listened_on(address, candidate)
            )
        elif self._is_listened_on(address, port):
            raise AddressInUseError(f"port {port} has a listener already")
        listener = Listener(self._shared, self._listeners, (address, port), backlog)
        self._listeners[listener.local] = listener
        return listener

    def flush(self, now: int) -> None:
        """Send what the owners' calls since the last time have made possible."""
        dirty = self._shared.dirty
        while dirty:
            connection = next(iter(dirty))
            del dirty[connection]
            connection.flush(now)

    # -- views

    def connections(self) -> list[ConnectionView]:
        """Every connection, those in TIME-WAIT last."""
        shared = self._shared
        return [
            *map(view_connection, shared.connections.values()),
            *map(view_time_wait, shared.waiting.values()),
        ]

    def listeners(self) -> list[ListenerView]:
        """Every listener."""
        return [
            ListenerView(listener.local, listener.waiting, listener.backlog)
            for listener in self._listeners.values()
        ]

    def _is_listened_on(self, address: bytes | None, port: int) -> bool:
        if address is None:
            return any(taken == port for _, taken in self._listeners)
        return (address, port) in self._listeners or (None, port) in self._listeners
