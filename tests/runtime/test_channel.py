"""The channel between supervisor and node: order, ends, and senders in threads."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from netsim.runtime.process.channel import Channel
from netsim.runtime.process.node_handle import NodeHandle

pytestmark = pytest.mark.asyncio


async def test_large_messages_arrive_in_order_and_before_the_end() -> None:
    near, far = socket.socketpair()
    loop = asyncio.get_running_loop()
    messages: list[Any] = []
    ended = asyncio.Event()
    sender = Channel(near, loop, messages.append, lambda: None)
    receiver = Channel(far, loop, messages.append, ended.set)
    for number in range(20):
        sender.send((number, b"x" * 100_000))
    await sender.drain()
    sender.close()
    await ended.wait()
    assert [number for number, _ in messages] == list(range(20))
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
    node = NodeHandle("alice", "computer")
    node.attach(ours, lambda *_: None)
    running = asyncio.create_task(
        node.execute(["ping"], "/", False, lambda *_: None, asyncio.Event())
    )
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    del running
    theirs.close()
    await node.gone.wait()
    assert not complaints
