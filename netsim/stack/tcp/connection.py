"""One connection: what its owner sees and does, and the way of an arriving segment.

The work is done elsewhere: `sender` and `receiver` hold the two halves of the stream,
`handshake`, `syn_sent` and `arrival` process segments as RFC 9293 3.10.7 tells, `timeouts`
what the timers bring. Here is the state they share, and the short way that almost every segment
takes.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from netsim.core.time import SECOND
from netsim.stack.socket_errors import NotConnectedError
from netsim.stack.tcp import arrival, path_errors, syn_sent, timeouts
from netsim.stack.tcp.receiver import Receiver
from netsim.stack.tcp.sender import Sender
from netsim.stack.tcp.seq import HALF, MASK
from netsim.stack.tcp.settings import KeepAlive
from netsim.stack.tcp.shared import Endpoint, Shared, key_of
from netsim.stack.tcp.state import MAY_WRITE, SYNCHRONIZED, State
from netsim.stack.tcp.transmitter import Transmitter
from netsim.stack.timers import Timer
from netsim.wire.tcp import ACK, FIN, PSH, RST, SYN, URG, TcpSegment

if TYPE_CHECKING:
    from netsim.stack.tcp.listener import Listener

_UNUSUAL: Final = FIN | SYN | RST | URG | ACK
_CHALLENGE_PERIOD: Final = 5 * SECOND


class Connection:
    """The owner's end of a byte stream.

    It puts itself into the host's `ready` whenever something happened that its owner can see
    in the attributes below. `write`, `read`, `shutdown` and `close` send nothing themselves:
    what they lead to leaves when `Tcp.flush` is called.
    """

    __slots__ = (
        "_abort_wanted",
        "_challenges",
        "_challenges_since",
        "_keep_alive",
        "_path_changed",
        "_window_opened",
        "closed",
        "connected",
        "error",
        "idle_timer",
        "keep_alive_probed_at",
        "keep_alive_probes",
        "key",
        "last_heard",
        "listener",
        "local",
        "opened_at",
        "orphan",
        "peer_mss",
        "ready",
        "receiver",
        "remote",
        "retransmission_timer",
        "scaling",
        "sender",
        "shared",
        "soft_error",
        "state",
        "transmitter",
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
        both FINs are exchanged. Text that came before can still be read."""
        self.ready = shared.ready
        self.listener: Listener | None = None
        """Who has it until it is accepted."""
        self.orphan = False
        """The owner called `close`: nobody reads any more."""
        self.soft_error: int | None = None
        """What ICMP reported; becomes `error` if the connection times out."""
        self.retransmission_timer = Timer(shared.timers, self._retransmission_timer_fired)
        self.idle_timer = Timer(shared.timers, self._idle_timer_fired)
        """Keep-alive, and in FIN-WAIT-2 the end of the wait for the peer of an orphan."""
        self.receiver = Receiver(settings, Timer(shared.timers, self._delayed_ack_fired))
        self.transmitter = Transmitter(
            shared.ip,
            local,
            remote,
            self.receiver,
            shared.sequence_numbers.timestamp_offset(self.key),
            shared.counters,
        )
        self.sender = Sender(
            iss, self.transmitter, self.retransmission_timer, settings, shared.counters
        )
        self.peer_mss = 0
        """What the peer's MSS option said, or the default without one."""
        self.scaling = False
        """Both SYNs carried a window scale."""
        self.opened_at = 0
        """When the SYN or SYN-ACK left first."""
        self.last_heard = 0
        self._keep_alive: KeepAlive | None = None
        self.keep_alive_probes = 0
        """Unanswered so far."""
        self.keep_alive_probed_at = 0
        self._challenges = 0
        self._challenges_since = 0
        self._abort_wanted = False
        self._path_changed = False
        self._window_opened = False
        """Reading made room that the peer should hear of."""

    def __repr__(self) -> str:
        (local, port), (remote, remote_port) = self.local, self.remote
        return f"<Connection {local.hex('.')}:{port} {remote.hex('.')}:{remote_port} {self.state}>"

    # -- what the owner sees

    @property
    def readable_bytes(self) -> int:
        """Octets in order that `read` would give."""
        return self.receiver.readable

    @property
    def at_eof(self) -> bool:
        """The peer sends nothing more, and everything it sent has been read."""
        return not self.receiver.readable and self.receiver.fin_received

    @property
    def buffered_bytes(self) -> int:
        """Octets written and not yet acknowledged."""
        return len(self.sender.buffer)

    @property
    def unsent_bytes(self) -> int:
        """Octets written that never left."""
        return self.sender.unsent

    @property
    def no_delay(self) -> bool:
        """Nagle's algorithm is off (TCP_NODELAY)."""
        return self.sender.no_delay

    @no_delay.setter
    def no_delay(self, value: bool) -> None:
        self.sender.no_delay = value
        self.mark_dirty()

    @property
    def keep_alive(self) -> KeepAlive | None:
        """When to probe a silent peer; None (the default) for never (RFC 9293 3.8.4)."""
        return self._keep_alive

    @keep_alive.setter
    def keep_alive(self, value: KeepAlive | None) -> None:
        self._keep_alive = value
        self.idle_timer.stop()
        self.mark_dirty()

    # -- what the owner does

    def write(self, data: bytes) -> None:
        """Append `data`, whole, to what is sent; the owner watches `buffered_bytes`.

        NotConnectedError after `shutdown` or `close`. Once the connection has ended, `data` is
        dropped: `closed` and `error` tell the owner, who may not have looked yet.
        """
        if self.sender.buffer.fin_queued or self.orphan:
            raise NotConnectedError("write after shutdown or close of this end of the connection")
        if self.state in MAY_WRITE:
            self.sender.buffer.text += data
            self.mark_dirty()

    def read(self, limit: int = -1) -> bytes:
        """Take at most `limit` octets that came in order, all there are when negative; empty
        when there are none."""
        data = self.receiver.read(limit)
        if self.receiver.owes_window_update():
            self._window_opened = True
            self.mark_dirty()
        return data

    def shutdown(self) -> None:
        """Half-close: a FIN follows what is buffered. Reading goes on. Harmless when repeated."""
        if self.sender.buffer.fin_queued or self.state is State.CLOSED:
            return
        self.sender.buffer.fin_queued = True
        if self.state is State.ESTABLISHED:
            self.state = State.FIN_WAIT_1
        elif self.state is State.CLOSE_WAIT:
            self.state = State.LAST_ACK
        self.mark_dirty()

    def close(self) -> None:
        """Shut down, and read no more: unread or later text is answered with RST, so that the
        peer learns that it was not read (RFC 9293 3.6.1, MUST-17). The connection lives on
        without an owner until both FINs are exchanged or it times out."""
        if self.orphan or self.state is State.CLOSED:
            return
        self.orphan = True
        if self.state is State.SYN_SENT:
            self.end(None)
        elif self.receiver.readable:
            self._abort_wanted = True
            self.mark_dirty()
        else:
            self.shutdown()
            self.mark_dirty()

    def abort(self, now: int) -> None:
        """Forget the connection at once, and tell the peer with a RST (RFC 9293 3.10.5)."""
        state = self.state
        if state is State.SYN_RECEIVED or (
            state in SYNCHRONIZED and state not in (State.CLOSING, State.LAST_ACK)
        ):
            self.transmitter.reset(self.sender.nxt, now)
        if state is not State.CLOSED:
            self.end(None)

    # -- what the package does

    def mark_dirty(self) -> None:
        """Have `flush` called before the runtime waits."""
        self.shared.dirty[self] = None

    def path_changed(self, now: int | None) -> None:
        """The way to the peer may take packets of another size; without a time, see to it when
        there is one."""
        if now is not None:
            path_errors.path_changed(self, now)
            return
        self._path_changed = True
        self.mark_dirty()

    def notify(self) -> None:
        """Have the owner look."""
        self.ready[self] = None

    def flush(self, now: int) -> None:
        """Send what the owner's calls have made possible."""
        if self._abort_wanted:
            self.abort(now)
            return
        if self._path_changed:
            self._path_changed = False
            path_errors.path_changed(self, now)
        timeouts.owner_acted(self, now)
        sender = self.sender
        sent_before = sender.nxt
        sender.output(now)
        if sender.nxt != sent_before:
            self.notify()
        if self._window_opened:
            self._window_opened = False
            if self.state in SYNCHRONIZED and self.receiver.owes_window_update():
                self.transmitter.acknowledge(sender.nxt, now)

    def receive(self, segment: TcpSegment, now: int) -> None:
        """A segment for this connection came in."""
        self.last_heard = now
        receiver = self.receiver
        sequence = receiver.nxt
        flags = segment.flags
        # Header prediction: text in order or an acknowledgement, nothing out of the ordinary.
        # These conditions imply every check that `arrival` makes one by one.
        if (
            self.state is State.ESTABLISHED
            and flags & _UNUSUAL == ACK
            and segment.sequence == sequence & MASK
        ):
            sender = self.sender
            una = sender.una
            payload = segment.payload
            ack = una + ((segment.acknowledgement - una) & MASK)
            if (
                ack <= sender.nxt
                and len(payload) <= receiver.edge - sequence
                and not (payload and (receiver.reassembly or receiver.fin_at is not None))
            ):
                if self.transmitter.timestamps:
                    timestamp = segment.timestamp
                    if timestamp is None or (timestamp - receiver.recent) & MASK >= HALF:
                        arrival.segment_arrives(self, segment, now)
                        return
                    if sequence == receiver.last_ack_sent:
                        receiver.recent = timestamp
                        receiver.recent_at = now
                if payload:
                    receiver.take(payload, bool(flags & PSH), now)
                    self.ready[self] = None
                    if (
                        ack == una
                        and una + (segment.window << sender.scale) == sender.window_edge
                        and not segment.sack_blocks
                    ):
                        if receiver.ack_now:
                            self.transmitter.acknowledge(sender.nxt, now)
                        return
                if sender.acknowledge(ack, sequence, segment, now):
                    self.ready[self] = None
                sender.output(now)
                if receiver.ack_now:
                    self.transmitter.acknowledge(sender.nxt, now)
                return
        if self.state is State.SYN_SENT:
            syn_sent.segment_arrives(self, segment, now)
        elif self.state is not State.CLOSED:
            arrival.segment_arrives(self, segment, now)

    def challenge(self, now: int) -> None:
        """Send an ACK that lets a genuine peer show itself, within limits (RFC 5961 7)."""
        if now - self._challenges_since >= _CHALLENGE_PERIOD:
            self._challenges_since = now
            self._challenges = 0
        if self._challenges < self.shared.settings.challenge_acks:
            self._challenges += 1
            self.shared.counters.challenge_acks += 1
            self.transmitter.acknowledge(self.sender.nxt, now)

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
        for timer in (self.retransmission_timer, self.idle_timer, self.receiver.delayed_ack):
            timer.retire()
        shared = self.shared
        if shared.connections.get(self.key) is self:
            del shared.connections[self.key]
        shared.dirty.pop(self, None)
        self.notify()
        if self.listener is not None:
            self.listener.lost(self)

    # -- timers

    def _retransmission_timer_fired(self, now: int) -> None:
        timeouts.retransmission_timer_fired(self, now)

    def _idle_timer_fired(self, now: int) -> None:
        timeouts.idle_timer_fired(self, now)

    def _delayed_ack_fired(self, now: int) -> None:
        if self.receiver.owes_acknowledgement():
            self.transmitter.acknowledge(self.sender.nxt, now)
