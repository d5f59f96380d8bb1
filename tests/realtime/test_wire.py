"""The cable between processes: what is put comes out, in order, whatever the sizes and ends do."""

from __future__ import annotations

import os
import select
import socket

from hypothesis import given
from hypothesis import strategies as st

from netsim.link.simplex_link import Departure
from netsim.realtime.wire import PENDING_LIMIT, WireQueue, WireReceiver, WireSender


def ends() -> tuple[WireSender, WireReceiver]:
    """Both ends of a new wire, attached."""
    queue = WireQueue()
    sender = WireSender(os.dup(queue.writer_fileno), [])
    receiver = WireReceiver(os.dup(queue.reader_fileno))
    queue.close_reader()
    queue.close_writer()
    return sender, receiver


def frames(count: int, size: int = 1500) -> list[Departure]:
    return [(i, i + 1000, os.urandom(size)) for i in range(count)]


def received(receiver: WireReceiver) -> list[Departure]:
    got: list[Departure] = []
    while messages := receiver.receive():
        for message in messages:
            assert isinstance(message, list)
            got += message
    return got


def test_stock_put_and_get_work_before_a_loop_is_attached() -> None:
    queue = WireQueue()
    batch = frames(3)
    queue.put(batch)
    assert not queue.empty()
    assert queue.get() == batch
    queue.close_reader()
    queue.close_writer()


def test_a_stock_put_is_read_by_an_attached_receiver() -> None:
    queue = WireQueue()
    batch = frames(2)
    queue.put(batch)
    receiver = WireReceiver(os.dup(queue.reader_fileno))
    assert received(receiver) == batch
    receiver.close()
    queue.close_reader()
    queue.close_writer()


@given(st.lists(st.lists(st.integers(0, 3000), max_size=60), max_size=6))
def test_what_is_put_comes_out_in_order(batches: list[list[int]]) -> None:
    sender, receiver = ends()
    sent, got = [], []
    for sizes in batches:
        batch = [(i, i, os.urandom(size)) for i, size in enumerate(sizes)]
        sender.put(batch)
        sent += batch
        sender.flush()
        got += received(receiver)
    while sender.blocked:
        sender.flush()
        got += received(receiver)
    assert got == sent
    assert not sender.lost
    sender.close()
    receiver.close()


def test_a_full_wire_never_blocks_and_counts_what_is_lost() -> None:
    sender, receiver = ends()
    sent = 0
    while not sender.blocked:
        sender.put(frames(40))
        sent += 40
        sender.flush()
    beyond = PENDING_LIMIT // 1500 + 100
    sender.put(frames(beyond))
    sent += beyond
    assert sender.lost["overload"] > 0
    got = 0
    while sender.blocked:
        got += len(received(receiver))
        sender.flush()
    got += len(received(receiver))
    assert sent == got + sender.lost["overload"]
    sender.close()
    receiver.close()


def test_frames_larger_than_the_read_buffer_arrive() -> None:
    sender, receiver = ends()
    batch = frames(40, 60_000)
    sender.put(batch)
    got: list[Departure] = []
    sender.flush()
    while len(got) < len(batch):
        got += received(receiver)
        sender.flush()
    assert got == batch
    sender.close()
    receiver.close()


def test_a_marker_keeps_its_place_among_the_frames() -> None:
    sender, receiver = ends()
    before, after = frames(3), frames(2)
    sender.put(before)
    sender.mark(7)
    sender.put(after)
    sender.flush()
    assert receiver.receive() == [before, 7, after]
    sender.close()
    receiver.close()


def test_the_end_of_the_sender_is_seen_behind_its_last_frame() -> None:
    sender, receiver = ends()
    batch = frames(1)
    sender.put(batch)
    sender.flush()
    sender.close()
    assert received_until_end(receiver) == batch
    receiver.close()


def received_until_end(receiver: WireReceiver) -> list[Departure]:
    """Everything that arrives before the end of the sender."""
    got: list[Departure] = []
    try:
        while True:
            select.select([receiver.descriptor], [], [])
            got += received_once(receiver)
    except EOFError:
        return got


def received_once(receiver: WireReceiver) -> list[Departure]:
    got: list[Departure] = []
    for message in receiver.receive():
        assert isinstance(message, list)
        got += message
    return got


def test_frames_to_a_dead_receiver_are_counted() -> None:
    sender, receiver = ends()
    receiver.close()
    sender.put(frames(5))
    sender.flush()
    assert sender.broken
    sender.put(frames(2))
    assert sender.lost == {"carrier": 7}
    assert not sender.dirty
    sender.close()


def test_a_message_cut_anywhere_is_put_together() -> None:
    ours, theirs = socket.socketpair()
    queue = WireQueue()
    batch = frames(2, 50)
    queue.put(batch)
    whole = os.read(queue.reader_fileno, 65536)
    receiver = WireReceiver(theirs.detach())
    got: list[Departure] = []
    for position in range(len(whole)):
        ours.send(whole[position : position + 1])
        select.select([receiver.descriptor], [], [])
        for message in receiver.receive():
            assert isinstance(message, list)
            got += message
        assert got == ([] if position < len(whole) - 1 else batch)
    ours.close()
    receiver.close()
    queue.close_reader()
    queue.close_writer()
