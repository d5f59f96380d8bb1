"""Plain functions on computers, which block: given to `run`, and named in the file."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
import time
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from networks import two_computers

from netsim import Network, StartError, run
from netsim.core.time import SECOND, Time

SERVER = """\
import asyncio
import socket
import time


def serve(port, words):
    with socket.create_server(("", port)) as listening:
        while True:
            client, _ = listening.accept()
            with client:
                client.recv(4096)
                client.sendall(f"HTTP/1.0 200 OK\\r\\n\\r\\n{words}".encode())


def serves():
    while True:
        try:
            return socket.create_connection(("127.0.0.1", 80), 1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)


def lines():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    async def main():
        async with await asyncio.start_server(answer, "", 90) as server:
            await server.serve_forever()

    asyncio.run(main())


def ends():
    raise ValueError("no more")


def waits():
    time.sleep(100)
"""
RUN = 'run: [{call: "server:serve", args: {port: 80, words: hello}}, "server:lines"]'
Test = Callable[[Network], Awaitable[None]]


def play(
    folder: Path, clock: Time, test: Test, web: str = f'{RUN}, ready: "server:serves"'
) -> None:
    file = two_computers(folder, web=web, server=SERVER)

    async def main() -> None:
        async with Network(file, time=clock) as network:
            await test(network)

    (run if clock == "virtual" else asyncio.run)(main())


@pytest.fixture(params=["virtual", "real"])
def clock(request: pytest.FixtureRequest) -> Time:
    time: Time = request.param
    return time


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        text: str = answer.read().decode()
        return text


def say(port: int, line: str) -> str:
    with socket.create_connection(("web", port), 5) as sock, sock.makefile("rw") as file:
        file.write(line)
        file.flush()
        return file.readline()


def sleep(seconds: float) -> tuple[str, bool]:
    time.sleep(seconds)
    return threading.current_thread().name, threading.current_thread().daemon


def fail(kind: type[Exception]) -> None:
    raise kind("on purpose")


class Doubler:
    """Plain to make, and a coroutine function itself."""

    def __init__(self, number: int) -> None:
        self.number = number

    async def __call__(self) -> int:
        return 2 * self.number


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def wrapped(number: int) -> Awaitable[int]:
    return double(number)


async def in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@functools.wraps(in_main_thread, assigned=())
def decorated() -> Awaitable[bool]:
    return in_main_thread()


def test_what_blocks_runs_on_both_sides(tmp_path: Path, clock: Time) -> None:
    async def test(net: Network) -> None:
        assert await net["alice"].run(get, "http://web/") == "hello"
        assert await net["alice"].run(functools.partial(get), url="http://web/") == "hello"
        assert await net["alice"].run(say, 90, "line\n") == "line\n"
        before = net.now()
        several = [net["alice"].run(sleep, 0.3) for _ in range(50)]
        name, is_daemon = (await asyncio.gather(*several))[0]
        assert (name.endswith(":sleep"), is_daemon) == (True, True)
        assert 0.3 * SECOND <= net.now() - before < 12 * SECOND  # not one after the other

    play(tmp_path, clock, test)


def test_a_lambda_in_virtual_time(tmp_path: Path) -> None:
    async def test(net: Network) -> None:
        url = "http://web/"
        assert await net["alice"].run(lambda: get(url)) == "hello"

    play(tmp_path, "virtual", test)


def test_outcomes_are_those_of_coroutine_functions(tmp_path: Path, clock: Time) -> None:
    async def test(net: Network) -> None:
        alice = net["alice"]
        with pytest.raises(ZeroDivisionError, match="on purpose"):
            await alice.run(fail, ZeroDivisionError)
        with pytest.raises(RuntimeError, match="raised StopIteration"):
            await alice.run(fail, StopIteration)
        assert await alice.run(wrapped, 4) == 8
        assert await alice.run(decorated)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await alice.run(sleep, 10)
        assert await alice.run(double, 1) == 2
        assert (await alice.run(Doubler, 3)).number == 3
        assert await alice.run(Doubler(3)) == 6

    play(tmp_path, clock, test)


def test_crash_kill_and_restart(tmp_path: Path, clock: Time) -> None:
    async def test(net: Network) -> None:
        alice, web = net["alice"], net["web"]
        for end, begin in ((alice.crash, alice.start), (alice.kill_program, alice.restart)):
            sleeping = asyncio.create_task(alice.run(sleep, 100))
            await asyncio.sleep(0.1)
            await end()
            with pytest.raises(ConnectionError):
                await sleeping
            await begin()
        await web.kill_program()
        with pytest.raises(OSError, match="refused"):
            await alice.run(get, "http://web/")
        await web.restart()
        assert await alice.run(get, "http://web/") == "hello"
        begun = net.now()
        await web.stop()  # a program that blocks is not waited for
        assert net.now() - begun < 10 * SECOND
        await web.start()
        assert await alice.run(get, "http://web/") == "hello"

    play(tmp_path, clock, test)


def test_a_program_that_ends_by_an_exception(tmp_path: Path, clock: Time) -> None:
    async def test(net: Network) -> None:
        while len(lines := [line["text"] for line in net.logs("web")["lines"]]) < 5:
            await asyncio.sleep(0.01)
        assert lines[0] == "run: server:ends ended with an exception"
        assert "plain_functions" not in str(lines)
        assert (lines[2].strip(), lines[-1]) == (
            f'File "{tmp_path / "server.py"}", line {line}, in ends',
            "ValueError: no more",
        )

    line = SERVER[: SERVER.index("raise ValueError")].count("\n") + 1
    play(tmp_path, clock, test, web='run: "server:ends"')


def test_ready_that_never_comes_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsim.site.programs.READY_TIMEOUT", 0.2)

    async def test(net: Network) -> None:
        raise AssertionError("it is not up")

    with pytest.raises(StartError, match=r"`ready: server:waits` did not come true within 0.2 s"):
        play(tmp_path, "virtual", test, web=f'{RUN}, ready: "server:waits"')
