"""The owner's end of a connection: the user calls of RFC 9293 3.9.1."""

from __future__ import annotations

from typing import Final

from netsim.stack.socket_errors import NotConnectedError
from netsim.stack.tcp import output, path_errors, send_memory, timeouts
from netsim.stack.tcp.connection import Connection, Shared
from netsim.stack.tcp.endpoints import Endpoint
from netsim.stack.tcp.settings import KeepAlive
from netsim.stack.tcp.state import MAY_WRITE, SYNCHRONIZED, State

_SURELY: Final = 16_384
"""Octets that every buffer holds which the peer's window lets become so large."""


class TcpSocket(Connection):
    """A connection with what its owner may do about it.

    It puts itself into the host's `ready` whenever something happened that its owner can see.
    `send`, `receive`, `shutdown` and `close` let nothing leave themselves: what they lead to
    leaves when `Tcp.flush` is called.
    """

    __slots__ = ()

    def __init__(self, shared: Shared, local: Endpoint, remote: Endpoint, iss: int) -> None:
        super().__init__(shared, local, remote, iss)
        self.retransmission_timer.action = self._retransmission_timer_fired
        self.idle_timer.action = self._idle_timer_fired
        self.receiver.acks.timer.action = self._delayed_ack_fired

    # -- what the owner sees

    @property
    def readable_bytes(self) -> int:
        """Octets in order that `receive` would give."""
        return self.receiver.readable

    @property
    def at_eof(self) -> bool:
        """The peer sends nothing more, and everything it sent has been received."""
        return not self.receiver.readable and self.receiver.fin_received

    @property
    def buffered_bytes(self) -> int:
        """Octets sent by the owner and not yet acknowledged."""
        return len(self.sender.buffer.data)

    def takes(self, octets: int) -> bool:
        """Whether the send buffer has room for all of that; where it is empty that is seen at
        once, since it takes one buffer of Linux's at least."""
        sender = self.sender
        if not sender.buffer.data and octets <= min(sender.max_window // 4, _SURELY):
            return True
        return octets <= send_memory.room(self)

    @property
    def send_room(self) -> int:
        """Octets that the send buffer has room for."""
        return send_memory.room(self)

    def makes_room(self) -> bool:
        """For an owner that waits to send more: the send buffer grows where it may; whether there
        is enough room now to wake somebody for it."""
        send_memory.expand(self)
        return send_memory.is_writable(self)

    @property
    def send_buffer_limit(self) -> int:
        """Octets of memory that the send buffer takes (SO_SNDBUF), which are more than there are in
        what is sent."""
        return self.sender.memory_limit

    def fix_send_buffer(self, octets: int) -> None:
        """The program wants room for that many octets, for which twice the memory is reckoned."""
        self.sender.memory_fixed = True
        self.sender.memory_limit = 2 * octets

    @property
    def no_delay(self) -> bool:
        """Nagle's algorithm is off (TCP_NODELAY)."""
        return self.sender.no_delay

    @no_delay.setter
    def no_delay(self, value: bool) -> None:
        self.sender.no_delay = value
        self.mark_dirty()

    def set_keep_alive(self, value: KeepAlive | None) -> None:
        """When to probe a silent peer; None (the default) for never (RFC 9293 3.8.4)."""
        self.keep_alive = value
        self.idle_timer.stop()
        self.mark_dirty()

    def set_congestion_control(self, name: str) -> None:
        """Another algorithm from now on, with the window there is (TCP_CONGESTION); ValueError
        names those there are."""
        self.sender.set_congestion_control(name)

    def set_quick_acks(self, wanted: bool) -> None:
        """Acknowledge at once for a while, or not (TCP_QUICKACK)."""
        self.receiver.acks.set_quick(wanted)
        self.has_read = wanted
        self.mark_dirty()

    # -- what the owner does

    def send(self, data: bytes) -> None:
        """Append `data`, whole, to what is sent; the owner watches `buffered_bytes`.

        NotConnectedError after `shutdown` or `close`. Once the connection has ended, `data` is
        dropped: `closed` and `error` tell the owner, who may not have looked yet.
        """
        if (self.sender.buffer.fin_queued and self.trouble is None) or self.orphan:
            raise NotConnectedError("send after shutdown or close of this end of the connection")
        if self.state in MAY_WRITE and not self.sender.buffer.fin_queued:
            buffer = self.sender.buffer
            buffer.data += data
            buffer.end += len(data)
            if self.trouble is not None:
                self.trouble.written()
            self.mark_dirty()

    def receive(self, limit: int = -1) -> bytes:
        """Take at most `limit` octets that came in order, all there are when negative; empty
        when there are none."""
        data = self.receiver.read(limit)
        if data and self.receiver.owes_word_of_reading():
            self.has_read = True
            self.mark_dirty()
        return data

    def peek(self, limit: int) -> bytes:
        """What `receive` would give, and still will."""
        return self.receiver.peek(limit)

    def shutdown(self) -> None:
        """Half-close: a FIN follows what is buffered. Receiving goes on. Harmless when
        repeated."""
        if self.sender.buffer.fin_queued or self.state is State.CLOSED:
            return
        if self.trouble is not None and self.trouble.delays_fin():
            self.mark_dirty()
        else:
            self.queue_fin()

    def close(self) -> None:
        """Shut down, and receive no more: unread or later data is answered with RST, so that
        the peer learns that it was not read (RFC 9293 3.6.1, MUST-17). The connection lives on
        without an owner until both FINs are exchanged or it times out."""
        if self.orphan or self.state is State.CLOSED:
            return
        may_live_on = self.disown()
        if self.state is State.SYN_SENT:
            self.end(None)
        elif self.receiver.readable or self.linger_reset or not may_live_on:
            self.abort_wanted = True
            self.mark_dirty()
        else:
            self.shutdown()
            self.mark_dirty()

    def abort(self, now: int) -> None:
        """Forget the connection at once, and tell the peer with a RST (RFC 9293 3.10.5)."""
        abort(self, now)

    # -- timers

    def _retransmission_timer_fired(self, now: int) -> None:
        timeouts.retransmission_timer_fired(self, now)

    def _idle_timer_fired(self, now: int) -> None:
        timeouts.idle_timer_fired(self, now)

    def _delayed_ack_fired(self, now: int) -> None:
        if self.receiver.acks.unacknowledged:
            self.receiver.acks.waited()
            self.transmitter.acknowledge(self.sender.nxt, now)


def abort(connection: Connection, now: int) -> None:
    """RFC 9293 3.10.5"""
    state = connection.state
    if state is State.SYN_RECEIVED or (
        state in SYNCHRONIZED and state not in (State.CLOSING, State.LAST_ACK)
    ):
        connection.transmitter.reset(connection.sender.nxt, now)
    if state is not State.CLOSED:
        connection.end(None)


def flush(connection: Connection, now: int) -> None:
    """Send what the owner's calls have made possible."""
    if connection.abort_wanted:
        abort(connection, now)
        return
    if connection.path_changed:
        connection.path_changed = False
        path_errors.path_changed(connection, now)
    if connection.trouble is not None:
        connection.trouble.flushed(now)
    watched = connection.keep_alive is not None or connection.idle_timer.due is not None
    if watched or connection.orphan:
        timeouts.owner_acted(connection, now)
    sender = connection.sender
    sent_before = sender.nxt
    output.output(sender, now)
    if sender.nxt != sent_before:
        connection.notify()
    if connection.has_read:
        connection.has_read = False
        if connection.state in SYNCHRONIZED and connection.receiver.owes_word_of_reading():
            connection.transmitter.acknowledge(sender.nxt, now)
