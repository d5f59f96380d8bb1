"""Each method of asyncio's event loops works on a computer, or says what to do instead."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from networks import play
from plans import plan_of

from netsim import Network, run
from netsim.core.time import Time

RUN_BY_NETSIM = {"run_forever", "run_until_complete", "stop", "close"}


class Talk(asyncio.Protocol, asyncio.SubprocessProtocol):
    """Says and hears nothing."""


def calls(loop: Any, pair: tuple[Any, Any], pipe: tuple[int, int]) -> dict[str, Callable[[], Any]]:
    """A call of each method."""
    one, other = pair
    nowhere = ("127.0.0.1", 1)
    return {
        "add_reader": lambda: loop.add_reader(one, print),
        "add_writer": lambda: loop.add_writer(one, print),
        "remove_reader": lambda: loop.remove_reader(one),
        "remove_writer": lambda: loop.remove_writer(one),
        "add_signal_handler": lambda: loop.add_signal_handler(signal.SIGUSR1, print),
        "remove_signal_handler": lambda: loop.remove_signal_handler(signal.SIGUSR1),
        "call_at": lambda: loop.call_at(loop.time(), list),
        "call_exception_handler": lambda: loop.call_exception_handler({"message": "meant"}),
        "call_later": lambda: loop.call_later(0, list),
        "call_soon": lambda: loop.call_soon(list),
        "call_soon_threadsafe": lambda: loop.call_soon_threadsafe(list),
        "connect_accepted_socket": lambda: loop.connect_accepted_socket(Talk, other),
        "connect_read_pipe": lambda: loop.connect_read_pipe(Talk, os.fdopen(pipe[0], "rb")),
        "connect_write_pipe": lambda: loop.connect_write_pipe(Talk, os.fdopen(pipe[1], "wb")),
        "create_connection": lambda: loop.create_connection(Talk, *nowhere),
        "create_datagram_endpoint": lambda: loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, nowhere
        ),
        "create_future": loop.create_future,
        "create_server": lambda: loop.create_server(Talk, "0.0.0.0", 80),
        "create_task": lambda: loop.create_task(asyncio.sleep(0)),
        "create_unix_connection": lambda: loop.create_unix_connection(Talk, "at"),
        "create_unix_server": lambda: loop.create_unix_server(Talk, "at"),
        "default_exception_handler": lambda: loop.default_exception_handler({"message": "meant"}),
        "get_debug": loop.get_debug,
        "get_exception_handler": loop.get_exception_handler,
        "get_task_factory": loop.get_task_factory,
        "getaddrinfo": lambda: loop.getaddrinfo("web", 80),
        "getnameinfo": lambda: loop.getnameinfo(nowhere),
        "is_closed": loop.is_closed,
        "is_running": loop.is_running,
        "run_in_executor": lambda: loop.run_in_executor(None, list),
        "sendfile": lambda: sends_a_file(loop),
        "set_debug": lambda: loop.set_debug(False),
        "set_default_executor": lambda: loop.set_default_executor(ThreadPoolExecutor()),
        "set_exception_handler": lambda: loop.set_exception_handler(None),
        "set_task_factory": lambda: loop.set_task_factory(None),
        "shutdown_asyncgens": loop.shutdown_asyncgens,
        "shutdown_default_executor": loop.shutdown_default_executor,
        "sock_accept": lambda: loop.sock_accept(one),
        "sock_connect": lambda: loop.sock_connect(one, "at"),
        "sock_recv": lambda: loop.sock_recv(one, 1),
        "sock_recv_into": lambda: loop.sock_recv_into(one, bytearray(1)),
        "sock_recvfrom": lambda: loop.sock_recvfrom(one, 1),
        "sock_recvfrom_into": lambda: loop.sock_recvfrom_into(one, bytearray(1)),
        "sock_sendall": lambda: loop.sock_sendall(one, b"x"),
        "sock_sendfile": lambda: loop.sock_sendfile(one, BytesIO()),
        "sock_sendto": lambda: loop.sock_sendto(one, b"x", "at"),
        "start_tls": lambda: loop.start_tls(asyncio.Transport(), Talk(), object()),
        "subprocess_exec": lambda: loop.subprocess_exec(Talk, "true"),
        "subprocess_shell": lambda: loop.subprocess_shell(Talk, "true"),
        "time": loop.time,
    }


async def sends_a_file(loop: Any) -> None:
    async with await loop.create_server(Talk, "127.0.0.1", 8000):
        transport, _ = await loop.create_connection(Talk, "127.0.0.1", 8000)
        await loop.sendfile(transport, BytesIO(b"text"))


async def bare_refusals() -> tuple[list[str], list[str], dict[str, str]]:
    """Methods that were not called, that refuse without a word, and the words of the others."""
    loop: Any = asyncio.get_running_loop()
    pair = socket.socketpair()
    for each in pair:
        each.setblocking(False)
    made = calls(loop, pair, os.pipe())
    public = {name for name in dir(asyncio.AbstractEventLoop) if not name.startswith("_")}
    bare, words = [], {}
    for name, call in made.items():
        try:
            given = call()
            if inspect.isawaitable(given) and name != "create_future":
                async with asyncio.timeout(0.05):
                    await given
        except NotImplementedError as error:
            words[name] = str(error)
            if not str(error):
                bare.append(name)
        except (OSError, TypeError, ValueError, RuntimeError):
            pass  # what it was called with makes no sense, or it waits
    return sorted(public - {*made} - RUN_BY_NETSIM), bare, words


@pytest.mark.parametrize("time", ["real", "virtual"])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_no_method_refuses_without_a_word(time: Time) -> None:
    async def test(network: Network) -> None:
        untried, bare, words = await network["web"].run(bare_refusals)
        assert (untried, bare) == ([], [])
        assert ("asyncio.to_thread(subprocess.run" in words.get("subprocess_exec", "")) == (
            time == "virtual"
        )
        assert ("port of 127.0.0.1" in words.get("create_unix_server", "")) == (time == "virtual")
        network.errors.clear()  # it was called with the one that is meant

    play(time, plan_of("alice web delay=1ms"), test)


def test_a_test_is_told_as_well() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(NotImplementedError, match=r"the test is on no computer"):
            loop.add_signal_handler(signal.SIGTERM, print)
        assert not loop.remove_reader(0)
        with pytest.raises(NotImplementedError, match=r"asyncio\.to_thread\(subprocess\.run"):
            await asyncio.create_subprocess_exec("true")

    run(main())
