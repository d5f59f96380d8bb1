"""The channel between supervisor and node: order, ends, and senders in threads."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from typing import Any

import pytest

from netsim.core.errors import NotRespondingError
from netsim.realtime.channel import Channel
from netsim.realtime.node_handle import NodeHandle
from netsim.site import messages
from netsim.site.backend import ToolRun

pytestmark = pytest.mark.asyncio


async def test_large_messages_arrive_in_order_and_before_the_end() -> None:
    near, far = socket.socketpair()
    loop = asyncio.get_running_loop()
    heard: list[Any] = []
    ended = asyncio.Event()
    sender = Channel(near, loop, heard.append, lambda: None)
    receiver = Channel(far, loop, heard.append, ended.set)
    for number in range(20):
        sender.send((number, b"x" * 100_000))
    await sender.drain()
    sender.close()
    await ended.wait()
    assert [number for number, _ in heard] == list(range(20))
    assert receiver.closed


async def test_a_thread_leaves_the_writing_to_the_loop() -> None:
    """Two threads in the middle of one message would garble all that follow."""
    near, far = socket.socketpair()
    sender = Channel(near, asyncio.get_running_loop(), lambda _: None, lambda: None)
    far.setblocking(False)
    thread = threading.Thread(target=sender.send, args=("hello",))
    thread.start()
    thread.join()
    with pytest.raises(BlockingIOError):
        far.recv(1)
    await asyncio.sleep(0)
    assert b"hello" in far.recv(100)
    sender.close()
    far.close()


async def test_a_cancelled_tool_leaves_no_question_behind_when_its_node_ends() -> None:
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    ours, theirs = socket.socketpair()
    node = NodeHandle("alice")
    node.attach(ours, lambda *_: None)
    running = asyncio.create_task(
        node.run_tool(ToolRun(argv=("ping",), cwd="/", output=lambda *_: None))
    )
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    del running
    theirs.close()
    await node.gone.wait()
    assert not complaints


async def test_what_waits_for_a_node_that_reads_no_more_has_a_limit() -> None:
    ours, theirs = socket.socketpair()
    node = NodeHandle("alice")
    node.attach(ours, lambda *_: None)
    much = b"x" * (1 << 20)
    for number in range(65):
        with pytest.raises(TimeoutError):
            await node.ask(messages.Call(number, "alice", much), timeout=0)
    with pytest.raises(NotRespondingError, match="alice"):
        await node.ask(messages.Call(65, "alice", b""), timeout=None)
    assert not node._answers
    node.close()
    theirs.close()


async def test_descriptors_travel_with_their_messages() -> None:
    near, far = socket.socketpair()
    loop = asyncio.get_running_loop()
    arrived: list[Any] = []
    done = asyncio.Event()

    def hear(message: Any) -> None:
        if message[0] == "pipe":
            reader = receiver.take_descriptor()
            arrived.append((message[1], os.read(reader, 100)))
            assert not os.get_inheritable(reader)
            os.close(reader)
        elif message[0] == "end":
            done.set()

    sender = Channel(near, loop, lambda _: None, lambda: None)
    receiver = Channel(far, loop, hear, lambda: None)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(20):
        # More than the socket takes at once, so that some have to wait.
        sender.send(("filler", b"x" * 50_000))
        reader, writer = os.pipe()
        os.write(writer, str(number).encode())
        os.close(writer)
        sender.send(("pipe", number), [reader])
    sender.send(("end",))
    await done.wait()
    assert arrived == [(number, str(number).encode()) for number in range(20)]
    assert len(os.listdir("/proc/self/fd")) == before
    sender.close()
    receiver.close()


@pytest.mark.parametrize("how", ["never sent", "never received", "never taken", "too late"])
async def test_descriptors_that_nobody_takes_are_closed(how: str) -> None:
    near, far = socket.socketpair()
    loop = asyncio.get_running_loop()
    heard, gone = asyncio.Event(), asyncio.Event()
    sender = Channel(near, loop, lambda _: None, gone.set)
    receiver = Channel(far, loop, lambda _: heard.set(), lambda: None)
    reader, writer = os.pipe()
    if how == "too late":
        receiver.close()
        await gone.wait()
    if how == "never sent":
        sender.send(b"x" * 1_000_000)
    sender.send("take it", [reader])
    if how == "never taken":
        await heard.wait()
    sender.close()
    receiver.close()
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"x")
    os.close(writer)
