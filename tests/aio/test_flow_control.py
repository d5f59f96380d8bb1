"""Back-pressure: who does not read stops who writes, and nothing is buffered without end."""

from __future__ import annotations

import asyncio

from protocols import Recorder, listen
from virtual_computers import World, world

__all__ = ["world"]

RECEIVE_BUFFER = 65_535
"""Of a program that has not read yet."""
SEND_BUFFER = 46_080
"""Octets of memory with a window of ten segments; more when that grows."""


def test_a_reader_that_pauses_stops_the_writer(world: World) -> None:
    made = world.run("web", listen(world.loop("web"), Recorder))

    async def talk() -> None:
        transport, here = await world.loop("alice").create_connection(Recorder, "web", 80)
        assert isinstance(here, Recorder)
        await asyncio.sleep(0.01)
        there = made[0]
        assert there.transport.is_reading()
        there.transport.pause_reading()
        assert not there.transport.is_reading()
        written = 0
        # As drain() would: until told to stop for good, with time for the network in between.
        while here.happened[-1] != "pause":
            transport.write(b"x" * 50_000)
            written += 50_000
            await asyncio.sleep(1)
        happened = list(here.happened)
        assert there.received == b""
        # The window has grown with what was acknowledged, and the buffer with the window.
        assert RECEIVE_BUFFER + SEND_BUFFER <= written <= RECEIVE_BUFFER + 8 * SEND_BUFFER
        await asyncio.sleep(100)
        assert here.happened == happened
        there.transport.resume_reading()
        await here.until("resume")
        assert len(await there.receive(written)) == written
        transport.close()

    world.run("alice", talk())


def test_a_protocol_that_pauses_in_the_middle_gets_no_more(world: World) -> None:
    class OneAtATime(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()

    made = world.run("web", listen(world.loop("web"), OneAtATime))

    async def talk() -> None:
        transport, _ = await world.loop("alice").create_connection(Recorder, "web", 80)
        await asyncio.sleep(0.01)
        there = made[0]
        transport.write(b"x" * 2_000_000)
        transport.write_eof()
        calls = 0
        while not there.eof:
            await asyncio.sleep(0.5)
            before = len(there.received)
            there.transport.resume_reading()
            await asyncio.sleep(0.001)
            assert len(there.received) - before <= 256 * 1024
            calls += 1
        assert len(there.received) == 2_000_000
        assert calls > 2_000_000 / (256 * 1024)

    world.run("alice", talk())


def test_water_marks(world: World) -> None:
    made = world.run("web", listen(world.loop("web"), Recorder))

    async def talk() -> None:
        transport, here = await world.loop("alice").create_connection(Recorder, "web", 80)
        assert isinstance(here, Recorder)
        await asyncio.sleep(0.01)
        made[0].transport.pause_reading()
        assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        transport.set_write_buffer_limits(high=10_000)
        assert transport.get_write_buffer_limits() == (2_500, 10_000)
        while not transport.get_write_buffer_size():
            transport.write(b"x" * 1000)
            await asyncio.sleep(1)
        transport.write(b"x" * (10_000 - transport.get_write_buffer_size()))
        assert transport.get_write_buffer_size() == 10_000
        assert "pause" not in here.happened
        transport.write(b"x")
        assert here.happened[-1] == "pause"
        transport.abort()

    world.run("alice", talk())


def test_streams_wait_in_drain(world: World) -> None:
    """asyncio's own streams, on both sides, with a slow reader."""
    size = 20_000_000
    waits = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken = 0
        while data := await reader.read(100_000):
            taken += len(data)
            await asyncio.sleep(0.05)
        writer.write(str(taken).encode())
        writer.close()
        await writer.wait_closed()

    async def start() -> None:
        await asyncio.start_server(serve, port=80)

    async def send() -> bytes:
        reader, writer = await asyncio.open_connection("web", 80)
        for _ in range(size // 100_000):
            writer.write(b"x" * 100_000)
            before = world.now
            await writer.drain()
            waits.append(world.now - before)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    world.run("web", start())
    assert world.run("alice", send()) == str(size).encode()
    # The buffers take what they hold at once; then each write waits for the reader.
    assert waits[0] == 0
    assert world.now / 1e9 > size / 100_000 * 0.05
    assert sum(waits) / 1e9 > (size - 9_000_000) / 100_000 * 0.05
