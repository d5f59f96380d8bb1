"""Segments that make no sense, in every state: counted or answered, and nothing else escapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tcp_dialogue import (
    HERE,
    MODERN,
    PEER,
    PLAIN,
    Dialogue,
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    ip_header,
    last_ack,
    syn_received,
    syn_sent,
    time_wait,
)

from netsim.core.time import MILLISECOND
from netsim.stack.socket_errors import NotConnectedError
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket
from netsim.wire.wire_error import WireError

FACTORIES: list[Callable[[TcpSettings], tuple[Dialogue, TcpSocket]]] = [
    syn_sent,
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait,
]

near = st.one_of(
    st.integers(-3, 12), st.integers(-70_000, 70_000), st.sampled_from([1 << 31, (1 << 31) + 5])
)
segments = st.fixed_dictionaries(
    {
        "flags": st.text("SAFRPU", max_size=4).map(lambda letters: "A" + letters)
        | st.text("SAFRPU", max_size=3),
        "seq": near,
        "ack": near,
        "payload": st.binary(max_size=30),
        "window": st.integers(0, 65535),
        "mss": st.none() | st.integers(0, 65535),
        "window_scale": st.none() | st.integers(0, 255),
        "sack_permitted": st.booleans(),
        "sack": st.lists(st.tuples(near, near), max_size=2),
    }
)
stamps = st.none() | st.integers(0, 0xFFFFFFFF)
deeds = st.sampled_from(["write", "read", "shutdown", "close", "abort", "wait", "icmp"])


def do(deed: str, d: Dialogue, connection: TcpSocket) -> None:
    if deed == "write":
        try:
            connection.send(bytes(1500))
        except NotConnectedError:
            assert connection.sender.buffer.fin_queued or connection.orphan
    elif deed == "read":
        connection.receive(10)
    elif deed == "shutdown":
        connection.shutdown()
    elif deed == "close":
        connection.close()
    elif deed == "abort":
        connection.abort(d.now)
    elif deed == "icmp":
        d.icmp(3, 4, seq=connection.sender.una - connection.sender.iss, mtu=600)
    else:
        d.after(300 * MILLISECOND)


def check(connection: TcpSocket) -> None:
    sender, receiver = connection.sender, connection.receiver
    assert sender.una <= sender.nxt <= sender.buffer.end + 1
    assert 0 <= sender.unsent <= len(sender.buffer.data)
    assert receiver.nxt <= receiver.edge
    assert receiver.readable == sum(map(len, receiver.chunks))
    assert receiver.readable + receiver.reassembly.octets <= 4 << 20
    if sender.established:
        assert sender.congestion.window >= sender.mss > 0
        assert (
            0 <= sender.recovery.in_flight(sender.una, sender.nxt) <= 2 * (sender.nxt - sender.una)
        )


@pytest.mark.parametrize("factory", FACTORIES)
@settings(max_examples=60)
@given(
    modern=st.booleans(),
    events=st.lists(st.one_of(segments, deeds), max_size=12),
    stamp=stamps,
)
def test_nothing_escapes(
    factory: Callable[[TcpSettings], tuple[Dialogue, TcpSocket]],
    modern: bool,
    events: list[dict[str, Any] | str],
    stamp: int | None,
) -> None:
    d, connection = factory(MODERN if modern else PLAIN)
    for event in events:
        if isinstance(event, str):
            do(event, d, connection)
        else:
            fields = dict(event)
            if stamp is not None:
                fields["timestamp"] = stamp
            if fields["sack"]:
                fields["mss"] = None  # they do not all fit into 40 octets
            d.send(**fields)
        check(connection)
    d.run(d.now + 10_000 * MILLISECOND)
    check(connection)


@given(st.binary(max_size=80))
def test_malformed_segments_raise_wire_error_only(data: bytes) -> None:
    d, _ = established()
    with pytest.raises(WireError):
        d.tcp.receive(ip_header(PEER, HERE), data, 0)
    assert d.tcp.counters.segments_in == 1
