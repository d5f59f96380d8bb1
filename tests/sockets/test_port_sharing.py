"""Several sockets at one port, as on the kernel's loopback; and how peers are shared among them."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import Counter

import pytest
from socket_dialogues import (
    DATAGRAM,
    HOST,
    STREAM,
    Notes,
    bound,
    held_to_the_kernel,
    new,
    outcome,
)
from virtual_computers import World, settle, world

__all__ = ["world"]

_OPTIONS = ((), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,))
_BOTH = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _with(options: tuple[int, ...], kind: int) -> socket.socket:
    sock = new(kind)
    for option in options:
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
    return sock


async def who_may_share(notes: Notes) -> None:
    for kind, first, second in itertools.product((STREAM, DATAGRAM), (*_OPTIONS, _BOTH), _OPTIONS):
        for places in ((HOST, HOST), ("", HOST), (HOST, ""), ("127.0.0.2", HOST)):
            holder, other = _with(first, kind), _with(second, kind)
            holder.bind((places[0], 0))
            place = (places[1], holder.getsockname()[1])
            notes.append((kind, first, second, places, outcome(other.bind, place)))
            if kind == STREAM:
                holder.listen()
                late = _with(second, kind)
                notes.append((outcome(late.bind, place), outcome(other.listen)))
                late.close()
            holder.close()
            other.close()


async def who_hears_of_a_datagram(notes: Notes) -> None:
    sockets = [_with((socket.SO_REUSEADDR,), DATAGRAM) for _ in range(5)]
    names = ["all", "first", "last", "connected", "late for all"]
    sockets[0].bind(("", 0))
    port = sockets[0].getsockname()[1]
    for sock in sockets[1:4]:
        sock.bind((HOST, port))
    sockets[4].bind(("", port))
    here, other = bound(DATAGRAM)[0], bound(DATAGRAM)[0]
    sockets[3].connect(here.getsockname())
    for closed in ("connected", "last", "first", "late for all", "all"):
        for sender in (here, other):
            sender.sendto(b"x", (HOST, port))
            await settle()
            heard = [
                name
                for name, sock in zip(names, sockets, strict=True)
                if sock.fileno() >= 0 and outcome(sock.recv, 10) == b"x"
            ]
            notes.append(heard)
        sockets[names.index(closed)].close()
    here.close()
    other.close()


async def what_each_gets_is_all_of_a_peer(notes: Notes) -> None:
    """Whose peer is whose is the hash's affair: that each has some, and keeps them."""
    sockets = [_with((socket.SO_REUSEPORT,), DATAGRAM) for _ in range(3)]
    sockets[0].bind((HOST, 0))
    for sock in sockets[1:]:
        sock.bind(sockets[0].getsockname())
    peers = [bound(DATAGRAM)[0] for _ in range(40)]
    owners: dict[int, set[int]] = {}
    for _ in range(2):
        for peer in peers:
            peer.sendto(b"x", sockets[0].getsockname())
        await settle()
        for place, sock in enumerate(sockets):
            while (found := outcome(sock.recvfrom, 10)) != "EAGAIN":
                owners.setdefault(found[1][1], set()).add(place)
    notes.append((len(owners), {len(places) for places in owners.values()}))
    notes.append(len({place for places in owners.values() for place in places}))
    for sock in (*sockets, *peers):
        sock.close()


async def listeners_that_share_a_port(notes: Notes) -> None:
    listeners = [_with((socket.SO_REUSEPORT,), STREAM) for _ in range(3)]
    listeners[0].bind((HOST, 0))
    name = listeners[0].getsockname()
    for sock in listeners[1:]:
        sock.bind(name)
    for sock in listeners:
        sock.listen(50)
    clients = [new() for _ in range(40)]
    for client in clients:
        outcome(client.connect, name)
    await settle()
    shares: Counter[int] = Counter()
    for place, sock in enumerate(listeners):
        while not isinstance(accepted := outcome(sock.accept), str):
            shares[place] += 1
            accepted[0].close()
    notes.append((len(shares), shares.total(), min(shares.values()) > 3))
    listeners[0].close()
    late = new()
    outcome(late.connect, name)
    await settle()
    notes.append(sorted(type(outcome(sock.accept)).__name__ for sock in listeners[1:]))
    for sock in (*listeners, *clients, late):
        sock.close()
    refused = new()
    outcome(refused.connect, name)
    await settle()
    notes.append(outcome(refused.connect, name))
    refused.close()


test_as_the_kernel = pytest.mark.filterwarnings("ignore:unclosed")(
    held_to_the_kernel(
        who_may_share,
        who_hears_of_a_datagram,
        what_each_gets_is_all_of_a_peer,
        listeners_that_share_a_port,
    )
)


def test_asyncio_shares_ports(world: World) -> None:
    async def main() -> tuple[str, ...]:
        loop = asyncio.get_running_loop()

        def nothing(reader: object, writer: asyncio.StreamWriter) -> None:
            writer.close()

        servers = [await asyncio.start_server(nothing, "", 80, reuse_port=True) for _ in range(2)]
        with pytest.raises(OSError, match="address already in use"):
            await asyncio.start_server(nothing, "", 80)
        transports = [
            (
                await loop.create_datagram_endpoint(
                    asyncio.DatagramProtocol, ("0.0.0.0", 53), reuse_port=True
                )
            )[0]
            for _ in range(2)
        ]
        names = [server.sockets[0].getsockname() for server in servers]
        names += [transport.get_extra_info("sockname") for transport in transports]
        for server in servers:
            server.close()
        for transport in transports:
            transport.close()
        return tuple(f"{host}:{port}" for host, port in names)

    assert world.run("alice", main()) == ("0.0.0.0:80",) * 2 + ("0.0.0.0:53",) * 2
