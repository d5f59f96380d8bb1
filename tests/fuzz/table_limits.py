"""What may be in a host's tables at most, whoever sends what."""

from __future__ import annotations

from netsim.stack import fragment_reassembly, icmp_layer, neighbour, timers, udp_layer
from netsim.stack.host import Host
from netsim.stack.path_mtu import PATH_MTU_LIMIT
from netsim.stack.tcp.connection import Connection
from netsim.stack.tcp.out_of_order import MAX_RANGES

TIMERS_OF_ONE_THING = 4
"""A connection has three timers, a neighbour one."""


def check_tables(host: Host) -> None:
    """No table of the host is larger than it may be."""
    for cache in host.neighbours:
        entries = cache.entries()
        assert len(entries) <= neighbour.TABLE_LIMIT
        assert all(len(entry.waiting) <= neighbour.QUEUE_LIMIT for entry in entries)
    assert len(host.ip.path_mtus) <= PATH_MTU_LIMIT
    check_fragments(host.ip_input.reassembly)
    for socket in host.udp.sockets():
        assert 0 <= socket.queued_bytes <= udp_layer.RECEIVE_BUFFER
        assert socket.errors.maxlen is not None
    for echo in host.icmp._echo_sockets.values():
        assert len(echo.inbox) <= icmp_layer.INBOX_LIMIT
    shared = host.tcp._shared
    assert len(shared.time_wait.entries) <= shared.settings.time_wait_limit
    half_open = queued = 0
    for listener in host.tcp._listeners.values():
        assert len(listener._half_open) <= shared.settings.syn_backlog
        assert listener.waiting <= listener.backlog
        assert len(listener._unseen) <= len(listener._half_open) + listener.waiting
        half_open += len(listener._half_open)
        queued += listener.waiting
    for connection in shared.connections.values():
        check_connection(connection)
    things = (
        len(shared.connections)
        + len(shared.time_wait.entries)
        + sum(len(cache.entries()) for cache in host.neighbours)
    )
    assert len(host.timers._heap) <= 2 * timers.SLACK + 2 * TIMERS_OF_ONE_THING * things


def check_fragments(waiting: fragment_reassembly.Reassembly) -> None:
    """Fragments take what they are said to take, and none covers what another has brought."""
    partials = waiting._partials.values()
    assert len(partials) <= fragment_reassembly.DATAGRAM_LIMIT
    assert (
        waiting.memory
        == sum(partial.cost for partial in partials)
        <= fragment_reassembly.MEMORY_LIMIT
    )
    for partial in partials:
        pieces = partial.pieces
        assert len(pieces) <= fragment_reassembly.FRAGMENT_LIMIT
        octets = sum(len(data) for _, data in pieces)
        assert partial.octets == octets or (partial.spoiled and not pieces)
        assert partial.cost == octets + (1 + len(pieces)) * fragment_reassembly.FRAGMENT_OVERHEAD
        ends = [start + len(data) for start, data in pieces]
        assert all(end <= start for end, (start, _) in zip(ends, pieces[1:], strict=False))
        assert not partial.size or not ends or ends[-1] <= partial.size


def check_connection(connection: Connection) -> None:
    """What a connection keeps of the peer's data fits the window that was offered."""
    receiver = connection.receiver
    kept = receiver.reassembly
    assert receiver.readable == sum(map(len, receiver.chunks))
    assert kept.octets == sum(map(len, (each for chunks in kept._chunks for each in chunks)))
    assert receiver.readable + kept.octets <= connection.shared.settings.receive_buffer
    assert len(kept._starts) <= MAX_RANGES
    # Objects cost more than what is in them when it is little.
    assert len(receiver.chunks) <= 64 + receiver.readable // 64
    assert sum(map(len, kept._chunks)) <= MAX_RANGES + 64 + kept.octets // 64
