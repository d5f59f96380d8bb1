"""Real servers behind a port of a computer: what passes, and how connections end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lossy_path import lossy_path
from networks import check_accounts, two_computers

from netsim import InvalidFileError, InvalidGraphError, Network, run
from netsim.scenario.load_scenario import load_scenario
from netsim.topology.load_topology import load_graph

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
RESET = struct.pack("ii", 1, 0)


def serving(port: object) -> str:
    return f"services: {{5432: {{upstream: '{port}'}}}}"


@asynccontextmanager
async def real_server(serve: Serve) -> AsyncIterator[str]:
    """On loopback; the place of it."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 16)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, until its end, and then that it was the end."""
    size = 0
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            size += len(data)
            writer.write(data)
            await writer.drain()
        writer.write(f" {size} bytes".encode())
    writer.close()


async def send_a_megabyte(name: str = "server") -> bytes:
    reader, writer = await asyncio.open_connection(name, 5432)
    writer.write(bytes(1_000_000))
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def upstream_of(network: Network, node: str) -> dict[str, Any]:
    (facts,) = (await network.inspect_node(node))["upstreams"]
    assert isinstance(facts, dict)
    return facts


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


def test_a_megabyte_each_way_over_a_lossy_path_and_a_half_close(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            real_server(echo) as place,
            Network(lossy_path(tmp_path, serving(place))) as network,
        ):
            answers = await asyncio.gather(
                *(network["client"].run(send_a_megabyte) for _ in range(3))
            )
            assert {answer[-14:] for answer in answers} == {b" 1000000 bytes"}
            assert {len(answer) for answer in answers} == {1_000_014}
            await until(lambda: _is(network, "active", 0))
            facts = await upstream_of(network, "server")
            assert facts["upstream"] == place
            assert (facts["connections"], facts["failures"], facts["refused"]) == (3, 0, 0)
            assert (facts["bytes_in"], facts["bytes_out"]) == (3_000_042, 3_000_000)
            await check_accounts(network)

    asyncio.run(main())


async def _is(network: Network, word: str, value: int, node: str = "server") -> bool:
    return bool((await upstream_of(network, node))[word] == value)


def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "real.sock"

    async def main() -> None:
        server = await asyncio.start_unix_server(echo, path)
        async with server, Network(two_computers(tmp_path, web=serving(f"unix:{path}"))) as network:
            answer = await network["alice"].run(send_a_megabyte, "web")
            assert answer[-14:] == b" 1000000 bytes"
        server.close()

    asyncio.run(main())


async def say_and_see(what: bytes = b"hello") -> str:
    """How a connection to the port ends."""
    reader, writer = await asyncio.open_connection("web", 5432)
    try:
        writer.write(what)
        return f"end after {await reader.read()!r}"
    except OSError as error:
        return type(error).__name__
    finally:
        writer.close()


def test_who_refuses_is_seen_as_a_reset(tmp_path: Path) -> None:
    """The listening port of the computer has answered the handshake before."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        place = f"127.0.0.1:{closed.getsockname()[1]}"

        async def main() -> None:
            async with Network(two_computers(tmp_path, web=serving(place))) as network:
                assert await network["alice"].run(say_and_see) == "ConnectionResetError"
                assert (await upstream_of(network, "web"))["failures"] == 1
                (line,) = [line["text"] for line in network.logs("web")["lines"]]
                assert line == f"port 5432: {place} could not be reached: connection refused"

        asyncio.run(main())


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    async def main() -> None:
        file = two_computers(tmp_path, web=serving("unix:/nowhere/real.sock"))
        async with Network(file) as network:
            assert await network["alice"].run(say_and_see) == "ConnectionResetError"
            (line,) = [line["text"] for line in network.logs("web")["lines"]]
            assert line.endswith(
                "unix:/nowhere/real.sock could not be reached: no such file or directory"
            )

    asyncio.run(main())


async def reset_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


async def answer_and_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(5)  # else the kernel sends a RST
    writer.write(b"bye")
    writer.close()


@pytest.mark.parametrize(
    ("serve", "expected"),
    [(reset_at_once, "ConnectionResetError"), (answer_and_end, "end after b'bye'")],
)
def test_how_the_server_ends_is_how_the_client_sees_it(
    serve: Serve, expected: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with (
            real_server(serve) as place,
            Network(two_computers(tmp_path, web=serving(place))) as network,
        ):
            assert await network["alice"].run(say_and_see) == expected

    asyncio.run(main())


class Seen:
    """A real server that keeps how its connections end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ends: asyncio.Queue[str] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.read(5) == b"hello"
            writer.write(b"hello")
            self.begun.set()
            await reader.read()
            self.ends.put_nowait("end")
        except OSError as error:
            self.ends.put_nowait(type(error).__name__)
        finally:
            writer.close()


async def hold() -> None:
    """A connection that stays open."""
    _, writer = await asyncio.open_connection("web", 5432)
    writer.write(b"hello")
    await asyncio.Event().wait()


async def reset() -> None:
    reader, writer = await asyncio.open_connection("web", 5432)
    writer.write(b"hello")
    await reader.readexactly(5)  # the server has it: a reset would take it away
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


async def crash(network: Network) -> None:
    await network["web"].crash()


async def kill_program(network: Network) -> None:
    await network["web"].kill_program()


async def stop(network: Network) -> None:
    await network["web"].stop()


async def nothing(network: Network) -> None:
    pass


@pytest.mark.parametrize(
    ("client", "event", "expected"),
    [
        (hold, crash, "ConnectionResetError"),
        (hold, kill_program, "ConnectionResetError"),
        (hold, stop, "end"),
        (reset, nothing, "ConnectionResetError"),
    ],
)
def test_how_the_computer_ends_is_how_the_server_sees_it(
    client: Callable[[], Awaitable[None]],
    event: Callable[[Network], Awaitable[None]],
    expected: str,
    tmp_path: Path,
) -> None:
    async def main() -> None:
        seen = Seen()
        async with (
            real_server(seen.serve) as place,
            Network(two_computers(tmp_path, web=serving(place))) as network,
        ):
            task = asyncio.create_task(network["alice"].run(client))
            async with asyncio.timeout(20):
                await seen.begun.wait()
                await event(network)
                assert await seen.ends.get() == expected
            task.cancel()

    asyncio.run(main())


async def send_without_end() -> int:
    """How many bytes go in, while nobody reads, until nothing goes any more."""
    _, writer = await asyncio.open_connection("web", 5432)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while True:
            writer.write(bytes(100_000))
            sent += 100_000
            async with asyncio.timeout(2):
                await writer.drain()
    writer.transport.abort()
    return sent


def test_a_server_that_does_not_read_stops_the_client(tmp_path: Path) -> None:
    may_read = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await may_read.wait()
        await reader.read()
        writer.close()

    async def main() -> None:
        async with (
            real_server(deaf) as place,
            Network(two_computers(tmp_path, web=serving(place))) as network,
        ):
            sent = await network["alice"].run(send_without_end)
            assert 100_000 < sent < 20_000_000
            may_read.set()
            await until(lambda: _is(network, "active", 0, "web"))

    asyncio.run(main())


async def ask_twice(pause: float) -> list[bytes]:
    """Before and after a partition, on one connection."""
    reader, writer = await asyncio.open_connection("server", 5432)
    answers = []
    for _ in range(2):
        writer.write(bytes(200_000))
        answers.append(await reader.readexactly(200_000))
        await asyncio.sleep(pause)
    writer.close()
    return answers


def test_a_partition_in_the_middle(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            real_server(echo) as place,
            Network(lossy_path(tmp_path, serving(place))) as network,
        ):
            asking = asyncio.create_task(network["client"].run(ask_twice, 0.2))
            await until(lambda: _is(network, "connections", 1))
            async with network.partition(["client"], ["server"]):
                await asyncio.sleep(0.5)
            assert [len(each) for each in await asking] == [200_000, 200_000]

    asyncio.run(main())


# In virtual time ------------------------------------------------------------------------------

SERVER = "the real server 127.0.0.1:5432 answers in real time only; write `app` with a stand-in"


def test_in_virtual_time_it_is_refused_where_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "db.yaml"
    file.write_text("""\
name: db
defaults: {services: {1: {upstream: "127.0.0.1:5432"}}}
kinds: {computer: {services: {2: {upstream: "127.0.0.1:5432"}}}}
nodes:
  a: {kind: computer}
  b: {kind: computer, services: {5432: {upstream: "127.0.0.1:5432"}}}
links: [[a, b]]
""")

    async def main() -> None:
        with pytest.raises(InvalidFileError) as caught:
            await Network(file, time="virtual").start()
        places = [(each.line, each.column) for each in caught.value.problems]
        assert places == [(2, 37), (3, 45), (6, 51)]
        assert all(SERVER in each.message for each in caught.value.problems)
        graph = load_graph(file)
        graph.graph.pop("file")
        with pytest.raises(
            InvalidGraphError, match=r"b: the real server 127\.0\.0\.1:5432 answers"
        ):
            await Network(graph, time="virtual").start()

    run(main())
    scenario = tmp_path / "s.yaml"
    scenario.write_text("name: s\ntopology: db.yaml\ntime: virtual\nsteps: [{wait: 1s}]\n")
    with pytest.raises(InvalidFileError) as caught:
        load_scenario(scenario)
    assert sum(SERVER in each.message for each in caught.value.problems) == 3
