"""Timers finer than a millisecond, and the selector that asyncio runs on."""

from __future__ import annotations

import asyncio
import select
import selectors
import socket
import time

from plans import plan_of

from netsim.realtime.engine import Engine
from netsim.realtime.event_loop import SiteSelector
from netsim.realtime.network_clock import NetworkClock
from netsim.realtime.timerfd import TimerFd


def idle_engine() -> Engine:
    engine = Engine(plan_of("a s1"), NetworkClock(time.monotonic_ns()))
    engine.add("s1")
    return engine


def test_a_timer_expires_at_its_absolute_time_and_can_be_set_again() -> None:
    timer = TimerFd()
    for _ in range(2):
        deadline = time.monotonic_ns() + 300_000
        timer.arm(deadline)
        select.select([timer.descriptor], [], [], 10)
        assert time.monotonic_ns() >= deadline
        timer.expired()
    timer.close()


def test_a_deadline_in_the_past_expires_at_once() -> None:
    timer = TimerFd()
    timer.arm(1)
    assert select.select([timer.descriptor], [], [], 10)[0]
    timer.close()


def test_asyncio_runs_on_it_with_real_sockets_and_timers() -> None:
    loop = asyncio.SelectorEventLoop(SiteSelector(idle_engine(), lambda: False))

    async def talk() -> bytes:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readline()).upper())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            answer = await reader.read()
            writer.close()
            await asyncio.sleep(0.001)
            return answer

    try:
        assert loop.run_until_complete(talk()) == b"HELLO\n"
    finally:
        loop.close()


def test_events_of_the_node_happen_while_asyncio_waits() -> None:
    engine = idle_engine()
    seen: list[tuple[int, str]] = []
    loop = asyncio.SelectorEventLoop(SiteSelector(engine, lambda: False))
    for name, delay in (("later", 2_000_000), ("sooner", 1_000_000)):
        engine.site.schedule(
            engine.wall() + delay, lambda now, what, _: seen.append((now, what)), name
        )
    done = loop.create_future()

    def finish(*_: object) -> None:
        loop.call_soon(done.set_result, None)

    engine.site.schedule(engine.wall() + 3_000_000, finish, None)

    async def wait() -> None:
        # The agenda does not wake asyncio by itself; a timer of its own does.
        while not done.done():
            await asyncio.sleep(0.001)

    try:
        loop.run_until_complete(wait())
    finally:
        loop.close()
    assert [name for _, name in seen] == ["sooner", "later"]
    assert seen[1][0] - seen[0][0] < 5_000_000


def test_registration_follows_the_standard_library() -> None:
    selector = SiteSelector(idle_engine(), lambda: False)
    ours, theirs = socket.socketpair()
    key = selector.register(ours, selectors.EVENT_READ, "data")
    assert selector.select(0) == []
    theirs.send(b"x")
    assert selector.select(1) == [(key, selectors.EVENT_READ)]
    key = selector.modify(ours, selectors.EVENT_READ | selectors.EVENT_WRITE)
    assert selector.select(1) == [(key, selectors.EVENT_READ | selectors.EVENT_WRITE)]
    assert selector.get_key(ours) == key
    assert selector.unregister(ours) == key
    assert dict(selector.get_map()) == {}
    ours.close()
    theirs.close()
    selector.close()
