"""TCP of one host: where segments come in, connections begin, and both are told apart."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Final

from netsim.core.host_faults import ConnectionFault
from netsim.stack.port_sharing import Sharing, overlap, share_of
from netsim.stack.socket_errors import AddressInUseError
from netsim.stack.tcp import handshake, header_prediction, path_errors, tcp_socket
from netsim.stack.tcp.bound_ports import BoundPort, BoundPorts
from netsim.stack.tcp.connection import Shared
from netsim.stack.tcp.connection_faults import ConnectionFaults
from netsim.stack.tcp.endpoints import Endpoint, key_of
from netsim.stack.tcp.ephemeral_ports import ephemeral_port
from netsim.stack.tcp.isn import SequenceNumbers
from netsim.stack.tcp.listener import Listener
from netsim.stack.tcp.reset import refuse
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.state import State
from netsim.stack.tcp.syn_probes import SynAnswer, SynProbe, SynProbes
from netsim.stack.tcp.tcp_counters import TcpCounters
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.stack.tcp.time_wait import TimeWaitTable
from netsim.stack.tcp.transmitter import PROTOCOL, IpLayer
from netsim.stack.tcp.view import ConnectionView, ListenerView, view_connection, view_time_wait
from netsim.stack.timers import Timers
from netsim.wire import icmp, ipv4
from netsim.wire.checksum import pseudo_header_sum
from netsim.wire.tcp import ACK, RST, SYN, TcpSegment, parse

_CLOSING: Final = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})


class Tcp:
    """The transport between a host's IP layer and the owners of its connections.

    `ready` is filled with the connections and listeners whose owners should look at them.
    Addresses are packed, whatever the family; times are ns of network time.
    """

    __slots__ = ("_bound", "_faults", "_listeners", "_probes", "_random", "_shared", "dirty")

    def __init__(
        self,
        ip: IpLayer,
        timers: Timers,
        random: Random,
        ready: dict[Any, None],
        drop: Callable[[str], None],
        *,
        settings: TcpSettings = TcpSettings(),  # noqa: B008 - frozen
    ) -> None:
        self._random = random
        counters = TcpCounters()
        self._shared = Shared(
            ip,
            timers,
            ready,
            settings,
            SequenceNumbers(random),
            drop,
            counters,
            TimeWaitTable(timers, settings, counters),
        )
        self.dirty = self._shared.dirty
        """Connections for which `flush` has something to do."""
        self._listeners: dict[tuple[bytes | None, int], Listener] = {}
        self._bound = BoundPorts()
        self._faults = ConnectionFaults()
        self._probes = SynProbes(self._shared, random)

    @property
    def counters(self) -> TcpCounters:
        """What happened since the host started."""
        return self._shared.counters

    @property
    def settings(self) -> TcpSettings:
        """What new connections get."""
        return self._shared.settings

    # -- the IP layer's side

    def receive(self, header: ipv4.Ipv4Header, payload: bytes, now: int) -> None:
        """A segment came in an IP packet; WireError if it is malformed."""
        source, destination = header.source, header.destination
        shared = self._shared
        key = source + destination + payload[:4]
        connection = shared.connections.get(key)
        if connection is not None:
            segment = parse(payload, connection.transmitter.pseudo_sum)
            shared.counters.segments_in += 1
            if connection.transmitter.ecn and segment.payload:
                marked = header.tos & ipv4.ECN_MASK == ipv4.CE
                connection.transmitter.note_congestion(marked, segment.flags)
            header_prediction.segment_arrives(connection, segment, now)
            if connection.trouble is not None:
                connection.trouble.arrived(now)
            return
        if shared.ip.is_broadcast(destination):
            # One that was sent to everybody is for nobody (RFC 1122 4.2.3.10).
            shared.drop("tcp-broadcast")
            return
        segment = parse(payload, pseudo_header_sum(source, destination, PROTOCOL))
        shared.counters.segments_in += 1
        port = segment.destination_port
        listener = self._listeners.get((destination, port)) or self._listeners.get((None, port))
        iss = None
        waiting = shared.time_wait.entries.get(key)
        if waiting is not None:
            iss = None if listener is None else waiting.successor_iss(segment)
            if iss is None:
                waiting.receive(segment, now)
                return
            waiting.end()
        if listener is not None and len(listener.group) > 1:
            local, remote = (destination, port), (source, segment.source_port)
            listener = share_of(listener.group, local, remote)
        if listener is not None and not self._refuses(source, segment):
            listener.receive(source, destination, segment, iss, now)
            connection = shared.connections.get(key)
            if self._faults.any and connection is not None:
                self._faults.adopt(connection)
            return
        self._probes.hear(SynAnswer(port, source, None, now))
        shared.counters.no_match += 1
        refuse(shared.ip, shared.drop, shared.counters, source, destination, segment, now)

    def set_faults(self, faults: tuple[ConnectionFault, ...], now: int) -> None:
        """From now on these are in force."""
        self._faults.set(faults, list(self._shared.connections.values()), now)

    def fault_hits(self) -> dict[int, int]:
        """How many connections each fault has reset, cut or refused, by its number."""
        return dict(self._faults.hits)

    def _refuses(self, source: bytes, segment: TcpSegment) -> bool:
        is_opening = segment.flags & (SYN | ACK | RST) == SYN
        return (
            self._faults.any
            and is_opening
            and self._faults.refuses(source, segment.destination_port)
        )

    def receive_error(
        self,
        quoted: ipv4.Ipv4Header,
        head: bytes,
        error: icmp.IcmpMessage,
        reporter: bytes | None,
        now: int,
    ) -> bool:
        """An ICMP error quotes a segment that we sent; `head` is what it has of it, and less
        than eight octets are ignored. Whether it is about something outstanding: of
        "fragmentation needed" IP takes note then."""
        if len(head) < 8:
            return False
        key = quoted.destination + quoted.source + head[2:4] + head[:2]
        connection = self._shared.connections.get(key)
        if connection is None:
            port = int.from_bytes(head[:2], "big")
            if self._probes.hear(SynAnswer(port, reporter, error, now)):
                return True
            self._shared.counters.icmp_out_of_window += 1
            return False
        return path_errors.icmp_error_arrives(connection, head, error.type, error.code)

    def path_changed(self, destination: bytes | None, now: int | None) -> None:
        """`mtu_to` may have another answer for `destination`, or for all; connections take note
        now, or without a time at the next `flush`."""
        for connection in self._shared.connections.values():
            if destination is not None and connection.remote[0] != destination:
                continue
            if now is not None:
                path_errors.path_changed(connection, now)
            else:
                connection.path_changed = True
                connection.mark_dirty()

    # -- the owners' side

    def connect(
        self,
        remote: Endpoint,
        now: int,
        *,
        local: tuple[bytes | None, int] = (None, 0),
        user_mss: int = 0,
    ) -> TcpSocket:
        """Active open: the SYN leaves at once. `user_mss` is `Connection.user_mss`.

        Raises NoRouteError, AddressInUseError when `local` is connected to `remote` already,
        AddressNotAvailableError when no ephemeral port is left.
        """
        shared = self._shared
        source = shared.ip.source_for(remote[0])
        address = source if local[0] is None else local[0]

        def is_free(port: int) -> bool:
            key = key_of(remote, (address, port))
            return key not in shared.connections and key not in shared.time_wait.entries

        port = local[1] or ephemeral_port(
            self._random, lambda port: is_free(port) and not self._is_used(address, port)
        )
        if not is_free(port):
            raise AddressInUseError(f"port {port} is connected to that peer already")
        endpoint = (address, port)
        iss = shared.sequence_numbers.initial(key_of(remote, endpoint), now)
        connection = TcpSocket(shared, endpoint, remote, iss)
        shared.connections[connection.key] = connection
        shared.counters.active_opens += 1
        connection.last_heard = now
        connection.user_mss = user_mss
        handshake.begin(connection, State.SYN_SENT, now)
        return connection

    def listen(
        self,
        address: bytes | None,
        port: int,
        *,
        backlog: int = 128,
        sharing: Sharing = Sharing.NOTHING,
    ) -> Listener:
        """Passive open on `address`, None for any; port 0 takes a free one. AddressInUseError
        if somebody listens there who does not share the port (SO_REUSEPORT)."""
        if port == 0:
            port = ephemeral_port(
                self._random, lambda candidate: not self._is_used(address, candidate)
            )
        elif self._is_refused(address, port, sharing):
            raise AddressInUseError(f"port {port} has a listener already")
        return Listener(self._shared, self._listeners, (address, port), backlog, sharing)

    def bind(
        self, address: bytes | None, port: int, sharing: Sharing = Sharing.NOTHING
    ) -> BoundPort:
        """Hold a port for one who will listen or connect, until `unbind`; port 0 takes a free one.

        AddressInUseError as from bind(2): where somebody listens; where the port is held or
        connections are, TIME-WAIT included, unless it is shared.
        AddressNotAvailableError when no ephemeral port is left.
        """
        if port == 0:
            port = ephemeral_port(
                self._random, lambda candidate: not self._is_used(address, candidate)
            )
        elif (
            self._is_refused(address, port, sharing)
            or self._bound.conflicts(address, port, sharing)
            or (not sharing and self._is_connected(address, port))
        ):
            raise AddressInUseError(f"port {port} is taken")
        bound = BoundPort((address, port), sharing)
        self._bound.hold(bound)
        return bound

    def unbind(self, bound: BoundPort) -> None:
        """Give a port back; harmless when repeated."""
        self._bound.release(bound)

    def _is_refused(self, address: bytes | None, port: int, sharing: Sharing) -> bool:
        """Whether somebody listens there who does not share the port."""
        return any(
            overlap(local, (address, port)) and not listener.sharing & sharing & Sharing.PORT
            for local, listener in self._listeners.items()
        )

    def _is_used(self, address: bytes | None, port: int) -> bool:
        return self.is_listened_on(address, port) or self._bound.is_held(address, port)

    def _is_connected(self, address: bytes | None, port: int) -> bool:
        shared, wanted = self._shared, (address, port)
        return any(overlap(each.local, wanted) for each in shared.connections.values()) or any(
            overlap(each.local, wanted) for each in shared.time_wait.entries.values()
        )

    def open_probe(self) -> SynProbe:
        """For SYNs that open nothing."""
        return SynProbe(self._probes)

    def close_all(self, now: int) -> None:
        """Close every connection and listener whose owner is gone, as if it had done so."""
        for listener in self._all_listeners():
            listener.close(now)
        for connection in list(self._shared.connections.values()):
            if isinstance(connection, TcpSocket):
                connection.close()

    @property
    def is_closing(self) -> bool:
        """Whether a peer has not acknowledged our FIN yet, or what comes before it."""
        return any(each.state in _CLOSING for each in self._shared.connections.values())

    def flush(self, now: int) -> None:
        """Send what the owners' calls since the last time have made possible."""
        dirty = self.dirty
        while dirty:
            connection = next(iter(dirty))
            del dirty[connection]
            tcp_socket.flush(connection, now)

    # -- views

    def connections(self) -> list[ConnectionView]:
        """Every connection, those in TIME-WAIT last."""
        shared = self._shared
        return [
            *map(view_connection, shared.connections.values()),
            *map(view_time_wait, shared.time_wait.entries.values()),
        ]

    def listeners(self) -> list[ListenerView]:
        """Every listener."""
        return [
            ListenerView(listener.local, listener.waiting, listener.backlog)
            for listener in self._all_listeners()
        ]

    def _all_listeners(self) -> list[Listener]:
        return [listener for first in self._listeners.values() for listener in first.group]

    def is_listened_on(self, address: bytes | None, port: int) -> bool:
        """Whether somebody listens at a port; without an address, at any."""
        if address is None:
            return bool(self.listened_at(port))
        return (address, port) in self._listeners or (None, port) in self._listeners

    def listened_at(self, port: int) -> list[bytes | None]:
        """The addresses at which somebody listens at a port; None is all of them."""
        return [address for address, taken in self._listeners if taken == port]
