"""Threads of programs in real time, and blocking sockets in them: a computer's own network."""

from __future__ import annotations

import asyncio
import errno
import http.client
import http.server
import os
import queue
import select
import selectors
import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netsim import BlockingCallError, Network
from netsim.realtime import thread_calls
from netsim.sockets.machine import Wait, WaitQueue

pytestmark = pytest.mark.asyncio
NET = """\
name: threads
nodes:
  alice: {kind: computer}
  r1: {kind: router}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
links: [{endpoints: [alice, r1], delay: 5ms}, [r1, web]]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "threads.yaml"
    path.write_text(NET)
    return path


async def in_thread() -> list[Any]:
    """Runs on a computer: what people write who do not write `async`."""

    def work() -> list[Any]:
        connection = http.client.HTTPConnection("web", timeout=5)
        connection.request("GET", "/ip")
        found: list[Any] = [connection.getresponse().read()]
        connection.close()
        with urllib.request.urlopen("http://web/bytes/100000", timeout=5) as answer:
            found.append(len(answer.read()))
        found.append(socket.gethostbyname("web"))
        try:
            socket.create_connection(("web", 81), 5)
        except OSError as error:
            found.append(error.errno)
        with socket.create_connection(("web", 80), 5) as quiet:
            quiet.settimeout(0.2)
            began = time.monotonic()
            try:
                quiet.recv(1)
            except TimeoutError:
                found.append(0.15 < time.monotonic() - began < 2)
        return found

    return await asyncio.to_thread(work)


async def test_blocking_clients_in_threads(file: Path) -> None:
    async with Network(file) as network:
        found = await network["alice"].run(in_thread)
        assert b'"origin": "10.0.1.10"' in found[0]
        assert found[1:] == [100_000, "10.0.2.10", errno.ECONNREFUSED, True]


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the library's name
        body = f"{self.client_address[0]} asks".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


async def threading_server() -> tuple[str, int]:
    server = http.server.ThreadingHTTPServer(("", 8000), _Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    return str(host), port


async def selecting_server() -> None:
    """Echoes, for two clients at the same time, in one thread."""

    def serve() -> None:
        with selectors.DefaultSelector() as selector, socket.create_server(("", 8001)) as listening:
            listening.setblocking(False)
            selector.register(listening, selectors.EVENT_READ)
            left = 2
            while left:
                for key, _ in selector.select():
                    if key.fileobj is listening:
                        client, _ = listening.accept()
                        client.setblocking(False)
                        selector.register(client, selectors.EVENT_READ)
                        continue
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(1000)
                    if data:
                        key.fileobj.sendall(data)
                    else:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
                        left -= 1

    ready = asyncio.get_running_loop().run_in_executor(None, serve)
    await asyncio.sleep(0)
    assert not ready.done()


async def echoed(text: bytes) -> bytes:
    def ask() -> bytes:
        while True:
            try:
                sock = socket.create_connection(("web", 8001), 5)
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        with sock:
            sock.sendall(text)
            sock.shutdown(socket.SHUT_WR)
            with sock.makefile("rb") as file:
                return file.read()

    return await asyncio.to_thread(ask)


async def test_servers_of_threads_and_of_selectors(file: Path) -> None:
    async with Network(file) as network:
        assert await network["web"].run(threading_server) == ("0.0.0.0", 8000)
        replies = await asyncio.gather(
            *(network["alice"].get("http://web:8000/") for _ in range(5))
        )
        assert {reply.text for reply in replies} == {"10.0.1.10 asks"}
        await network["web"].run(selecting_server)
        said = [bytes([number]) * 3000 for number in range(2)]
        assert await asyncio.gather(*(network["alice"].run(echoed, each) for each in said)) == said


async def blocks_the_loop() -> str:
    """A mistake that a computer of one's own would forgive."""
    sock = socket.create_connection(("web", 80), 5)
    sock.close()
    return "connected"


async def test_who_would_block_the_loop_is_told(file: Path) -> None:
    async with Network(file) as network:
        with pytest.raises(BlockingCallError, match=r"asyncio\.to_thread"):
            await network["alice"].run(blocks_the_loop)


async def waits_for_both() -> str:
    """A socket of the computer and a pipe of the kernel, in one poll."""

    def work() -> str:
        ours, theirs = socket.socketpair()
        with ours, theirs, socket.create_connection(("web", 80), 5) as sock:
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            poll.register(ours, select.POLLIN)
            first = poll.poll(0)
            threading.Timer(0.05, theirs.send, (b"x",)).start()
            ((second, _),) = poll.poll(5000)
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            ours.recv(1)
            ((third, _),) = poll.poll(5000)
            return str([first, second == ours.fileno(), third == sock.fileno()])

    return await asyncio.to_thread(work)


async def test_a_poll_over_sockets_of_both_worlds(file: Path) -> None:
    async with Network(file) as network:
        assert await network["alice"].run(waits_for_both) == "[[], True, True]"


async def stuck() -> None:
    """A thread that waits for ever."""
    sock = socket.create_server(("", 9000))
    threading.Thread(target=sock.accept).start()


async def test_a_thread_that_waits_for_ever_holds_nobody_up(file: Path) -> None:
    async with Network(file) as network:
        await network["alice"].run(stuck)
        began = time.monotonic()
        await network["alice"].stop()
        await network["alice"].start()
        await network["alice"].run(stuck)
        assert time.monotonic() - began < 20


_ended: list[str] = []


async def accepts() -> None:
    """A thread that waits for a client, and notes why it does so no more."""
    listening = socket.create_server(("", 9000))

    def work() -> None:
        try:
            listening.accept()
        except OSError as error:
            _ended.append(os.strerror(error.errno or 0))

    threading.Thread(target=work).start()


async def how_it_ended() -> list[str]:
    while not _ended:
        await asyncio.sleep(0.01)
    return _ended


async def test_the_sockets_of_threads_end_with_their_program(file: Path) -> None:
    async with Network(file) as network:
        await network["alice"].run(accepts)
        await network["alice"].kill_program()
        assert await network["alice"].run(how_it_ended) == ["Bad file descriptor"]
        await network["alice"].run(accepts)  # the port is free


def wait_in_c() -> None:
    os.read(os.pipe()[0], 1)


async def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def sleep_on() -> None:
    while True:
        time.sleep(0.01)


async def leave_threads() -> None:
    threading.Thread(target=sleep_on, name="sleeper").start()
    threading.Thread(target=wait_in_c, name="reader", daemon=True).start()
    await asyncio.to_thread(list)  # its worker has nothing more to do


async def test_a_thread_that_outlives_its_program_is_told_of(file: Path) -> None:
    line = wait_in_c.__code__.co_firstlineno + 1
    async with Network(file) as network:
        await network["alice"].run(leave_threads)
        await network["alice"].kill_program()
        async with asyncio.timeout(30):
            while not (told := [each["text"] for each in network.logs("alice")["lines"]]):
                await asyncio.sleep(0.05)
        assert told == [
            "thread reader of the killed program has not ended: it is at "
            f"test_threads_in_real_time.py:{line}, without its sockets, and ends when it is done "
            "there, or with the node"
        ]
        names = await network["alice"].run(names_of_threads)
        assert "reader" in names
        assert "sleeper" not in names


async def who_shares_an_epoll() -> list[int]:
    """In which round each of four threads was told of one shot."""

    def play() -> list[int]:
        told: queue.Queue[int] = queue.Queue()
        rounds = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, select.epoll() as epoll:
            sock.bind(("", 0))
            sock.sendto(b"x", sock.getsockname())
            epoll.register(sock, 0)

            def poll() -> None:
                told.put(len(epoll.poll(30)))

            threads = [threading.Thread(target=poll) for _ in range(4)]
            for thread in threads:
                thread.start()
            for number in range(4):
                epoll.modify(sock, select.EPOLLIN | select.EPOLLONESHOT)
                assert told.get(timeout=30) == 1
                rounds.append(number + told.qsize())
            for thread in threads:
                thread.join()
        return rounds

    return await asyncio.to_thread(play)


async def test_one_thread_is_told_of_one_shot(file: Path) -> None:
    async with Network(file) as network:
        assert await network["alice"].run(who_shares_an_epoll) == [0, 1, 2, 3]


async def test_who_is_ended_as_he_begins_to_wait_is_woken_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """His descriptor is closed, and may be another's."""
    waiters = WaitQueue()

    def call(loop: Any, function: Callable[..., Any], *args: Any) -> Any:
        result = function(*args)
        if function is thread_calls._look_or_wait:
            raise SystemExit
        return result

    monkeypatch.setattr(thread_calls, "call", call)
    with pytest.raises(SystemExit):
        thread_calls.wait(asyncio.get_running_loop(), Wait(lambda: False, "", 1, (waiters,)), 1)
    assert not waiters._waiters
