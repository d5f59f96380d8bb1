"""`select.epoll` and `select.poll` as on the kernel's loopback, by whatever name they are held."""

from __future__ import annotations

import asyncio
import functools
import gc
import os
import select
import socket
from collections.abc import Callable
from select import epoll as epoll_by_name
from select import select as select_by_name
from typing import Any

import pytest
from plans import plan_of
from socket_dialogues import (
    DATAGRAM,
    Notes,
    bound,
    events,
    held_to_the_kernel,
    listening,
    new,
    outcome,
    pair,
)
from virtual_computers import World, settle, world

from netsim.sockets import descriptors, epoll_calls

__all__ = ["world"]

_NAMES = ("EPOLLIN", "EPOLLOUT", "EPOLLRDHUP", "EPOLLHUP", "EPOLLERR")


def _told(epoll: select.epoll, *socks: socket.socket, most: int = -1) -> list[tuple[int, str]]:
    """Which of the sockets have which events, in the order of the sockets."""
    places = {sock.fileno(): place for place, sock in enumerate(socks)}
    found = sorted((places[number], mask) for number, mask in epoll.poll(0, most))
    return [
        (place, " ".join(name for name in _NAMES if mask & getattr(select, name)))
        for place, mask in found
    ]


async def registering(notes: Notes) -> None:
    client, server = await pair()
    with epoll_by_name() as epoll:
        epoll.register(client, select.EPOLLOUT)
        notes.append(outcome(epoll.register, client, select.EPOLLIN))
        notes.append(outcome(epoll.modify, server, select.EPOLLIN))
        notes.append(outcome(epoll.unregister, server))
        notes.append(_told(epoll, client, server))
        epoll.modify(client.fileno(), select.EPOLLIN)
        notes.append(_told(epoll, client, server))
        server.send(b"x")
        await settle()
        notes.append(_told(epoll, client, server))
        epoll.unregister(client)
        notes.append(_told(epoll, client, server))
        notes.append(outcome(epoll.unregister, client))
        epoll.register(client, select.EPOLLIN)
        number = client.fileno()
        client.close()
        notes.append(epoll.poll(0))
        notes.append(outcome(epoll.modify, number, select.EPOLLIN))
    for call in (lambda: epoll.register(server), lambda: epoll.poll(0)):
        with pytest.raises(ValueError, match="I/O operation on closed epoll object"):
            call()
    server.close()


async def masks_of_nothing(notes: Notes) -> None:
    """An error and an end are told whatever the mask."""
    client, server = await pair()
    with select.epoll() as epoll:
        epoll.register(client, 0)
        server.send(b"x")
        await settle()
        notes.append(_told(epoll, client))
        server.close()
        client.shutdown(socket.SHUT_RDWR)
        await settle()
        notes.append([_told(epoll, client), _told(epoll, client)])
        epoll.modify(client, select.EPOLLET)
        notes.append([_told(epoll, client), _told(epoll, client)])
        epoll.modify(client, select.EPOLLONESHOT)
        notes.append([_told(epoll, client), _told(epoll, client)])
    client.close()


async def edges_of_data(notes: Notes) -> None:
    client, server = await pair()
    with select.epoll() as epoll:
        epoll.register(client, select.EPOLLIN | select.EPOLLET)
        notes.append(_told(epoll, client))
        server.send(b"first")
        await settle()
        notes.append([_told(epoll, client), _told(epoll, client)])
        client.recv(2)
        notes.append(_told(epoll, client))
        server.send(b"second")
        await settle()
        notes.append([_told(epoll, client), _told(epoll, client)])
        client.recv(100)
        notes.append(_told(epoll, client))
        server.send(b"third")
        await settle()
        epoll.modify(client, select.EPOLLIN | select.EPOLLET)
        notes.append([_told(epoll, client), _told(epoll, client)])
        epoll.modify(client, select.EPOLLIN | select.EPOLLET)
        notes.append([_told(epoll, client), _told(epoll, client)])
        server.close()
        await settle()
        notes.append([_told(epoll, client), _told(epoll, client)])
    client.close()


async def edges_of_room(notes: Notes) -> None:
    client, server = await pair()
    with select.epoll() as epoll:
        epoll.register(client, select.EPOLLOUT | select.EPOLLET)
        notes.append([_told(epoll, client), _told(epoll, client)])
        client.send(b"a little")
        await settle()
        notes.append(_told(epoll, client))
        sent = 8
        while (taken := outcome(client.send, b"x" * 65536)) != "EAGAIN":
            sent += taken
            await settle()
        notes.append(_told(epoll, client))
        while sent:
            sent -= len(await asyncio.get_running_loop().sock_recv(server, 1 << 20))
        await settle()
        notes.append([_told(epoll, client), _told(epoll, client)])
    client.close()
    server.close()


async def edges_of_connections(notes: Notes) -> None:
    listener, name = await listening()
    clients = [new() for _ in range(3)]
    with select.epoll() as epoll:
        epoll.register(listener, select.EPOLLIN | select.EPOLLET)
        for client in clients:
            outcome(client.connect, name)
            await settle()
            notes.append([_told(epoll, listener), _told(epoll, listener)])
        for _ in clients:
            listener.accept()[0].close()
        notes.append(_told(epoll, listener))
        epoll.register(clients[0], select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
        await settle()
        notes.append([_told(epoll, clients[0]), _told(epoll, clients[0])])
    for sock in (listener, *clients):
        sock.close()


async def edges_of_datagrams(notes: Notes) -> None:
    here, there = bound(DATAGRAM)[0], bound(DATAGRAM)[0]
    with select.epoll() as epoll:
        epoll.register(there, select.EPOLLIN | select.EPOLLET)
        for _ in range(2):
            here.sendto(b"x", there.getsockname())
            await settle()
            notes.append([_told(epoll, there), _told(epoll, there)])
        there.recv(1)
        notes.append(_told(epoll, there))
    here.close()
    there.close()


async def one_shot(notes: Notes) -> None:
    client, server = await pair()
    with select.epoll() as epoll:
        wanted = select.EPOLLIN | select.EPOLLONESHOT
        epoll.register(client, wanted)
        for _ in range(2):
            server.send(b"x")
            await settle()
            notes.append(_told(epoll, client))
        server.close()
        await settle()
        notes.append(_told(epoll, client))
        epoll.modify(client, wanted)
        notes.append([_told(epoll, client), _told(epoll, client)])
    client.close()


async def with_descriptors_of_the_kernel(notes: Notes) -> None:
    client, server = await pair()
    here, there = socket.socketpair()
    with select.epoll() as epoll:
        epoll.register(here, select.EPOLLIN | select.EPOLLET)
        epoll.register(client, select.EPOLLIN)
        notes.append(outcome(epoll.register, here))
        there.send(b"x")
        server.send(b"x")
        await settle()
        notes.append([_told(epoll, here, client), _told(epoll, here, client)])
        turns = []
        epoll.modify(here, select.EPOLLIN)
        epoll.register(server, select.EPOLLOUT)
        for _ in range(6):
            turns += _told(epoll, here, client, server, most=2)
        notes.append(sorted(set(turns)))
    for sock in (client, server, here, there):
        sock.close()


async def held_by_other_names(notes: Notes) -> None:
    client, server = await pair()
    held = functools.partial(select_by_name, [], [client])
    notes.append(held([], 0)[1] == [client])
    notes.append(_Held.choose(client))
    notes.append(events(server))
    client.close()
    server.close()


class _Held:
    poller: Callable[[], Any] = select.epoll

    @classmethod
    def choose(cls, sock: socket.socket, wait: Any = select.select) -> Any:
        with cls.poller() as epoll:
            epoll.register(sock, select.EPOLLOUT)
            return _told(epoll, sock), wait([sock], [sock], [], 0)[1] == [sock]


async def poll_objects(notes: Notes) -> None:
    client, server = await pair()
    poll = select.poll()
    poll.register(client, select.POLLIN)
    poll.register(client, select.POLLOUT)
    notes.append(dict(poll.poll(0)) == {client.fileno(): select.POLLOUT})
    poll.modify(client, select.POLLIN)
    notes.append([poll.poll(0), outcome(poll.modify, server, select.POLLIN)])
    for mask in (-1, 1 << 16):
        for call in (poll.register, poll.modify):
            with pytest.raises((ValueError, OverflowError)) as refused:
                call(client, mask)
            notes.append(str(refused.value))
    poll.unregister(client)
    with pytest.raises(KeyError):
        poll.unregister(client)
    client.close()
    server.close()


test_as_the_kernel = held_to_the_kernel(
    registering,
    masks_of_nothing,
    edges_of_data,
    edges_of_room,
    edges_of_connections,
    edges_of_datagrams,
    one_shot,
    with_descriptors_of_the_kernel,
    held_by_other_names,
    poll_objects,
)


@pytest.mark.parametrize("before", ["nothing", "a socket", "a socket that is closed"])
def test_who_waits_hears_of_what_another_thread_registers(world: World, before: str) -> None:
    async def main() -> list[tuple[int, int]]:
        here, there = bound(DATAGRAM)[0], bound(DATAGRAM)[0]
        with select.epoll() as epoll, here, there:
            if before != "nothing":
                epoll.register(here, select.EPOLLIN)
            waiting = asyncio.ensure_future(asyncio.to_thread(epoll.poll, 60))
            await asyncio.sleep(1)
            if before == "a socket that is closed":
                here.close()
            await asyncio.to_thread(epoll.register, there, select.EPOLLOUT)
            return [(number - there.fileno(), mask) for number, mask in await waiting]

    assert world.run("alice", main()) == [(0, select.EPOLLOUT)]


@pytest.mark.filterwarnings("ignore:unclosed")
def test_an_epoll_that_is_dropped_is_closed() -> None:
    world = World(plan_of("alice web"))

    async def main() -> None:
        sock = bound(DATAGRAM)[0]
        for _ in range(5):
            select.epoll().register(sock)
        gc.collect()
        assert len(epoll_calls._all) == 1
        sock.close()
        assert not epoll_calls._all
        select.epoll().register(bound(DATAGRAM)[0])
        gc.collect()

    world.run("alice", main())
    world.close()
    assert not descriptors.descriptors_in_use()
    assert not epoll_calls._all


def test_a_child_process_forgets_what_epolls_watched(world: World) -> None:
    async def main() -> int:
        with bound(DATAGRAM)[0] as sock, select.epoll() as epoll:
            epoll.register(sock)
            child = os.fork()
            if not child:
                os._exit(len(epoll_calls._all))
            assert len(epoll_calls._all) == 1
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert world.run("alice", main()) == 0
