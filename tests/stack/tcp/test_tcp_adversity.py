"""Whatever the channel does, both streams arrive as they were written and both ends close."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tcp_channel import ADDRESSES, Channel, Fate

from netsim.core.time import MILLISECOND, SECOND
from netsim.stack.tcp.settings import TcpSettings
from netsim.stack.tcp.tcp_socket import TcpSocket

PORT = 80


def data(length: int, seed: int) -> bytes:
    """Bytes in which any piece that is lost, doubled or moved shows."""
    return hashlib.shake_128(seed.to_bytes(2, "big")).digest(length)


class Program:
    """Writes its data in pieces, reads at most a bite every 20 ms, and shuts down at the end of
    its data."""

    def __init__(self, to_write: bytes, pieces: list[int], bite: int, buffer: int) -> None:
        self.connection: TcpSocket | None = None
        self._left = to_write
        self._pieces = pieces
        self._piece = 0
        self._bite = bite
        self._buffer = buffer
        self.got = bytearray()

    def act(self) -> int | None:
        connection = self.connection
        if connection is None:
            return None
        self.got += connection.receive(self._bite)
        if (
            connection.connected
            and not connection.sender.buffer.fin_queued
            and not connection.closed
        ):
            self._write(connection)
        return 20 * MILLISECOND if connection.readable_bytes else None

    def _write(self, connection: TcpSocket) -> None:
        while self._left and connection.buffered_bytes < self._buffer:
            size = self._pieces[self._piece % len(self._pieces)]
            self._piece += 1
            connection.send(self._left[:size])
            self._left = self._left[size:]
        if not self._left:
            connection.shutdown()


fates = st.lists(
    st.one_of(
        st.just([]),
        st.lists(st.integers(0, 400).map(lambda ms: ms * MILLISECOND), min_size=1, max_size=3),
        st.just([MILLISECOND]),
        st.just([MILLISECOND]),
    ),
    max_size=60,
)


@settings(max_examples=120)
@given(
    fates=fates,
    lengths=st.tuples(st.integers(0, 60_000), st.integers(0, 20_000)),
    pieces=st.lists(st.integers(1, 9000), min_size=1, max_size=5),
    bites=st.tuples(st.sampled_from([-1, 1 << 16, 700]), st.sampled_from([-1, 3000])),
    receive_buffers=st.tuples(st.integers(600, 100_000), st.integers(600, 100_000)),
    mtu=st.sampled_from([200, 576, 1500]),
    sack=st.booleans(),
    timestamps=st.booleans(),
    scaling=st.booleans(),
    no_delay=st.booleans(),
)
def test_both_streams_arrive_and_both_ends_close(
    fates: list[Fate],
    lengths: tuple[int, int],
    pieces: list[int],
    bites: tuple[int, int],
    receive_buffers: tuple[int, int],
    mtu: int,
    sack: bool,
    timestamps: bool,
    scaling: bool,
    no_delay: bool,
) -> None:
    common = TcpSettings(
        selective_acknowledgement=sack,
        timestamps=timestamps,
        window_scaling=scaling,
        no_delay=no_delay,
        max_rto_ns=10 * SECOND,
        syn_retries=100,
        syn_ack_retries=100,
        retries=100,
    )
    first, second = (replace(common, receive_buffer=size) for size in receive_buffers)
    channel = Channel(iter(fates), (first, second), mtu)
    streams = (data(lengths[0], 0), data(lengths[1], 1))
    programs = [Program(streams[i], pieces, bites[i], 30_000) for i in (0, 1)]
    client, server = channel.ends
    listener = server.tcp.listen(None, PORT)

    def serve() -> int | None:
        programs[1].connection = programs[1].connection or listener.accept()
        return programs[1].act()

    client.owner, server.owner = programs[0].act, serve
    programs[0].connection = client.tcp.connect((ADDRESSES[1], PORT), 0)
    # Each of at most sixty mishaps costs at most one timeout, and those are at most 10 s.
    channel.run(until=800 * SECOND)

    assert bytes(programs[1].got) == streams[0]
    assert bytes(programs[0].got) == streams[1]
    for program in programs:
        connection = program.connection
        assert connection is not None
        assert connection.closed
        assert connection.error is None
        assert connection.at_eof
        assert connection.buffered_bytes == 0
    assert client.tcp.connections() == server.tcp.connections() == []


def _transfer(settings: TcpSettings, fates: Iterator[Fate], length: int) -> tuple[Channel, bytes]:
    channel = Channel(fates, (settings, settings))
    client, server = channel.ends
    listener = server.tcp.listen(None, PORT)
    sender = Program(data(length, 7), [10_000], -1, 1 << 20)
    receiver = Program(b"", [1], -1, 1)

    def serve() -> int | None:
        receiver.connection = receiver.connection or listener.accept()
        return receiver.act()

    client.owner, server.owner = sender.act, serve
    sender.connection = client.tcp.connect((ADDRESSES[1], PORT), 0)
    channel.run(until=3600 * SECOND)
    assert receiver.connection is not None
    assert receiver.connection.closed
    return channel, bytes(receiver.got)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from([0.01, 0.05, 0.2]))
def test_steady_loss(seed: int, sack: bool, loss: float) -> None:
    random = Random(seed)

    def fates() -> Iterator[Fate]:
        while True:
            yield [] if random.random() < loss else [10 * MILLISECOND]

    settings = TcpSettings(selective_acknowledgement=sack)
    _, got = _transfer(settings, fates(), 200_000)
    assert got == data(200_000, 7)


def test_bulk_needs_one_acknowledgement_for_two_segments() -> None:
    length = 2_000_000
    channel, got = _transfer(TcpSettings(), iter(()), length)
    assert got == data(length, 7)
    client, server = (end.tcp.counters for end in channel.ends)
    assert client.retransmissions == 0
    segments = length / 1448
    assert segments <= client.segments_out <= segments + 10
    assert segments / 2 <= server.segments_out <= segments / 2 + 30
