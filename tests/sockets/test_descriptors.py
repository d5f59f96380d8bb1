"""What becomes of the numbers of sockets, and of the interpreter when all is over."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import select
import socket
import ssl
import warnings
from pathlib import Path
from typing import Any

import pytest
from virtual_computers import World, world

from netsim import BlockingCallError, Network, run
from netsim.interception.c_functions import memory_of
from netsim.sockets import caller, descriptors

__all__ = ["world"]


def test_the_interpreter_is_what_it_was() -> None:
    def exchanged() -> list[Any]:
        return [
            {name: value for name, value in vars(socket.socket).items() if name != "__dict__"},
            *(bytes(memory_of(each, 40, 16)) for each in (select.select, select.poll)),
            dict(vars(select.epoll)),
            vars(ssl.SSLContext).get("_wrap_socket"),
            resource.getrlimit(resource.RLIMIT_NOFILE),
            caller.machine_of_caller(),
        ]

    async def nothing() -> None:
        assert exchanged() != before

    before = exchanged()
    run(nothing())
    assert exchanged() == before


def test_netsims_own_sockets_are_the_machines(world: World) -> None:
    async def make() -> None:
        before = descriptors.descriptors_in_use()
        with caller.outside(), socket.socket() as real:
            real.bind(("127.0.0.1", 0))
            assert descriptors.descriptors_in_use() == before
        with socket.socket(), socket.socket(socket.AF_UNIX):
            assert descriptors.descriptors_in_use() == before + 1

    world.run("alice", make())


@pytest.mark.filterwarnings("ignore:unclosed")
def test_a_socket_that_is_collected_is_closed(world: World) -> None:
    async def make() -> None:
        listener: socket.socket | None = socket.create_server(("", 80))
        number = listener.fileno() if listener else -1
        del listener
        gc.collect()
        assert descriptors.endpoint_of(number) is None
        await asyncio.sleep(0)
        with socket.create_server(("", 80)) as again:
            assert again.getsockname() == ("0.0.0.0", 80)

    world.run("alice", make())


def test_a_socket_whose_warning_is_kept_has_given_its_number_away(
    world: World, tmp_path: Path
) -> None:
    async def make() -> str:
        with warnings.catch_warnings(record=True) as kept:
            warnings.simplefilter("always")
            socket.socket(type=socket.SOCK_DGRAM)
        assert isinstance(kept[0].source, socket.socket)
        with (tmp_path / "notes.txt").open("w+") as file:
            os.write(file.fileno(), b"tea")
            file.seek(0)
            return file.read()

    assert world.run("alice", make()) == "tea"


def test_a_number_that_was_closed_as_such_is_anothers(world: World) -> None:
    async def make() -> None:
        with socket.create_server(("", 80)) as listener:
            number = listener.detach()
        os.close(number)
        reader, writer = os.pipe()
        other = socket.socketpair()
        try:
            assert [each.send(b"x") for each in other] == [1, 1]
        finally:
            for sock in other:
                sock.close()
            os.close(reader)
            os.close(writer)
        with socket.socket() as sock:
            assert sock.getsockname() == ("0.0.0.0", 0)

    world.run("alice", make())


def test_a_blocking_call_on_the_event_loop_is_refused_in_words(world: World) -> None:
    async def block() -> None:
        with socket.create_server(("", 80)) as listener:
            with pytest.raises(BlockingCallError, match=r"accept\(\) on a socket would block"):
                listener.accept()
            with pytest.raises(BlockingCallError, match=r"asyncio\.to_thread"):
                select.select([listener], [], [])
            assert select.select([listener], [], [], 0) == ([], [], [])

    world.run("alice", block())


def test_a_crash_gives_all_descriptors_back(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(
        "name: crash\nnodes: {a: {kind: computer}, b: {kind: computer}}\n"
        "links: [{endpoints: [a, b]}]\n"
    )

    async def main() -> None:
        async with Network(tmp_path / "net.yaml", time="virtual") as network:
            before = descriptors.descriptors_in_use()
            holding = asyncio.ensure_future(network["a"].run(hold))
            await asyncio.sleep(1)
            assert descriptors.descriptors_in_use() == before + 50
            await network["a"].crash()
            assert descriptors.descriptors_in_use() == before
            holding.cancel()
            await asyncio.wait([holding])

    async def hold() -> None:
        held = [socket.socket() for _ in range(50)]
        await asyncio.sleep(3600)
        del held

    run(main())
