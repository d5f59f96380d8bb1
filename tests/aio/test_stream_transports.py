"""What a protocol is told, and in which order, while a connection lives and ends."""

from __future__ import annotations

import asyncio
import contextvars
import errno
from typing import Any

import pytest
from protocols import BufferedRecorder, HalfOpenRecorder, Recorder, listen
from resets import reset
from virtual_computers import World, world

__all__ = ["world"]

REQUEST = contextvars.ContextVar("REQUEST", default="none")


async def pair(world: World, server: Any = Recorder, client: Any = Recorder) -> tuple[Any, Any]:
    """A connection from alice to web: both protocols. Runs on alice."""
    made: list[Any] = []

    def make() -> Any:
        made.append(server())
        return made[-1]

    # Runs on alice, so web's server is not waited for: it listens as soon as this runs.
    world.start("web", listen(world.loop("web"), make))
    await asyncio.sleep(0.01)
    _, protocol = await world.loop("alice").create_connection(client, "web", 80)
    while not made:
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.001)
    return protocol, made[0]


def test_text_both_ways_and_an_orderly_end(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world)
        here.transport.write(b"ping ")
        here.transport.writelines([b"and ", bytearray(b"pong"), memoryview(b"!")])
        assert await there.receive(14) == b"ping and pong!"
        there.transport.write(b"fine")
        assert await here.receive(4) == b"fine"
        here.transport.close()
        assert here.transport.is_closing()
        assert "lost" not in here.happened, "connection_lost is not called from within close"
        assert await here.lost is None
        await there.until("lost")
        assert there.happened == ["made", "data", "eof", "lost"]
        assert await there.lost is None
        assert here.happened == ["made", "data", "lost"]

    world.run("alice", talk())


def test_half_close(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world, HalfOpenRecorder)
        assert here.transport.can_write_eof()
        here.transport.write(b"question")
        here.transport.write_eof()
        await there.until("eof")
        assert there.received == b"question"
        with pytest.raises(RuntimeError, match="after write_eof"):
            here.transport.write(b"more")
        await asyncio.sleep(100)
        assert not there.transport.is_closing()
        there.transport.write(b"answer")
        assert await here.receive(6) == b"answer"
        there.transport.close()
        await here.until("lost")
        assert here.happened == ["made", "data", "eof", "lost"]
        assert await here.lost is None

    world.run("alice", talk())


def test_abort_with_nothing_unsent_is_the_end(world: World) -> None:
    """As asyncio on a kernel: it closes the socket."""

    async def talk() -> None:
        here, there = await pair(world)
        here.transport.write(b"last words")
        here.transport.abort()
        assert await here.lost is None
        await there.until("lost")
        assert there.received == b"last words"
        assert there.happened == ["made", "data", "eof", "lost"]

    world.run("alice", talk())


def test_abort_drops_what_no_kernel_would_have_taken(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world)
        here.transport.write(b"x" * 10_000_000)
        here.transport.abort()
        await there.until("lost")
        assert 10_000 < len(there.received) < 200_000

    world.run("alice", talk())


def test_a_lingering_time_of_zero_resets_the_peer(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world)
        reset(here.transport)
        assert await here.lost is None
        await there.until("lost")
        error = await there.lost
        assert isinstance(error, ConnectionResetError)
        assert error.errno == errno.ECONNRESET
        assert there.happened == ["made", "lost"]

    world.run("alice", talk())


def test_a_peer_that_vanished_times_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        here, _ = await pair(world)
        world.network.set_link("web", "eth0", False)
        monkeypatch.setattr(world.loop("r1").host.icmp, "send_error", lambda *_, **__: None)
        here.transport.write(b"are you there?")
        await here.until("lost")
        error = await here.lost
        assert isinstance(error, TimeoutError)
        assert error.errno == errno.ETIMEDOUT

    world.run("alice", talk())


def test_what_came_before_a_reset_is_delivered(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world)
        here.transport.pause_reading()
        there.transport.write(b"last words")
        await asyncio.sleep(0.1)
        reset(there.transport)
        await asyncio.sleep(0.1)
        assert here.happened == ["made"]
        here.transport.resume_reading()
        await here.until("lost")
        assert here.happened == ["made", "data", "lost"]
        assert here.received == b"last words"
        assert isinstance(await here.lost, ConnectionResetError)

    world.run("alice", talk())


def test_writing_to_a_peer_that_is_gone_ends_a_paused_connection(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world)
        here.transport.pause_reading()
        there.transport.write(b"unread")
        await asyncio.sleep(0.1)
        reset(there.transport)
        await asyncio.sleep(0.1)
        here.transport.write(b"hello?")
        await here.until("lost")
        assert here.happened == ["made", "lost"]
        assert isinstance(await here.lost, ConnectionResetError)

    world.run("alice", talk())


def test_closing_with_unread_text_resets(world: World) -> None:
    """RFC 9293 3.6.1: the peer learns that what it sent was not read."""

    async def talk() -> None:
        here, there = await pair(world)
        here.transport.pause_reading()
        there.transport.write(b"important")
        await asyncio.sleep(0.1)
        here.transport.close()
        await there.until("lost")
        assert isinstance(await there.lost, ConnectionResetError)

    world.run("alice", talk())


def test_close_delivers_what_was_written_however_much(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world)
        here.transport.write(b"x" * 5_000_000)
        here.transport.close()
        here.transport.write(b"after the end")
        await there.until("lost")
        # As asyncio: what is written before the end is sent.
        assert len(there.received) == 5_000_013
        assert await there.lost is None
        assert await here.lost is None

    world.run("alice", talk())


def test_protocols_with_a_buffer_of_their_own(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world, BufferedRecorder)
        text = bytes(range(256)) * 100
        here.transport.write(text)
        here.transport.close()
        while not there.lost.done():
            await asyncio.sleep(0.01)
        assert await there.lost is None
        assert there.received == text
        assert there.largest == 100

    world.run("alice", talk())


def test_a_protocol_can_be_replaced(world: World) -> None:
    async def talk() -> None:
        here, there = await pair(world)
        here.transport.write(b"for the first")
        await there.receive(13)
        second = Recorder()
        there.transport.set_protocol(second)
        assert there.transport.get_protocol() is second
        here.transport.write(b"for the second")
        assert await second.receive(14) == b"for the second"
        assert there.received == b"for the first"
        here.transport.close()
        await second.until("lost")

    world.run("alice", talk())


@pytest.mark.parametrize("method", ["data_received", "eof_received"])
def test_a_protocol_that_fails_loses_its_connection_only(world: World, method: str) -> None:
    class Failing(Recorder):
        pass

    def fail(*_: Any) -> None:
        raise ArithmeticError("a bug")

    setattr(Failing, method, fail)

    async def talk() -> None:
        here, there = await pair(world, Failing)
        other = Recorder()
        await world.loop("alice").create_connection(lambda: other, "web", 80)
        here.transport.write(b"text")
        here.transport.write_eof()
        await asyncio.sleep(0.1)
        error = await there.lost
        assert isinstance(error, ArithmeticError)
        await here.until("lost")

    world.run("alice", talk())
    messages = {problem["message"] for problem in world.problems}
    assert messages == {f"Fatal error: protocol.{method}() call failed."}
    assert isinstance(world.problems[0]["exception"], ArithmeticError)
    world.problems.clear()


def test_arguments_of_write(world: World) -> None:
    async def talk() -> None:
        here, _ = await pair(world)
        with pytest.raises(TypeError, match="bytes-like object, not 'str'"):
            here.transport.write("text")
        here.transport.write(b"")
        here.transport.close()
        assert "open" not in repr(here.transport)

    world.run("alice", talk())


def test_protocols_are_called_in_the_context_of_their_connection(world: World) -> None:
    """Also when a callback writes so much that writing is paused from within it."""
    seen = []

    class Noting(Recorder):
        def data_received(self, data: bytes) -> None:
            seen.append(REQUEST.get())
            self.transport.write(b"x" * 3_000_000)
            super().data_received(data)

        def resume_writing(self) -> None:
            seen.append(REQUEST.get())
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            seen.append(REQUEST.get())
            super().connection_lost(exc)

    async def talk() -> None:
        REQUEST.set("mine")
        here, there = await pair(world, Recorder, Noting)
        REQUEST.set("another")
        there.transport.write(b"go")
        await there.receive(3_000_000)
        here.transport.close()
        await here.until("lost")
        assert here.happened == ["made", "pause", "data", "resume", "lost"]

    world.run("alice", talk())
    assert seen == ["mine", "mine", "mine"]


def test_accepted_connections_begin_in_the_context_of_the_server(world: World) -> None:
    """Not in that of another connection, whose callback made the dispatcher run."""
    seen = []

    class Noting(Recorder):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            seen.append(REQUEST.get())
            REQUEST.set("connection")

    async def serve() -> None:
        REQUEST.set("server")
        await listen(world.loop("web"), Noting)
        REQUEST.set("later")

    async def talk() -> None:
        for _ in range(2):
            transport, _ = await world.loop("alice").create_connection(Recorder, "web", 80)
            await asyncio.sleep(0.01)
            transport.close()

    world.run("web", serve())
    world.run("alice", talk())
    assert seen == ["server", "server"]
