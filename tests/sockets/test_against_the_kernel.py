"""Calls of sockets as on the kernel's loopback."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from socket_dialogues import (
    DATAGRAM,
    HOST,
    STREAM,
    Notes,
    bound,
    events,
    held_to_the_kernel,
    listening,
    new,
    outcome,
    pair,
)
from virtual_computers import settle, world

__all__ = ["world"]


async def a_new_socket(notes: Notes) -> None:
    with new() as sock:
        notes.append(events(sock))
        notes.append(outcome(sock.getsockname))
        notes.append(outcome(sock.getpeername))
        notes.append(outcome(sock.recv, 10))
        notes.append(outcome(sock.send, b"x"))
        notes.append(outcome(sock.send, b""))
        notes.append(outcome(sock.accept))
        for how in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            notes.append(outcome(sock.shutdown, how))
        notes.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


async def binding(notes: Notes) -> None:
    first, name = bound()
    notes.append(name[0])
    notes.append(outcome(first.bind, (HOST, 0)))
    second = new()
    notes.append(outcome(second.bind, name))
    notes.append(outcome(second.bind, ("", name[1])))
    notes.append(outcome(second.bind, ("192.0.2.1", 0)))
    first.close()
    notes.append(outcome(second.bind, name))
    third = new()
    for sock in (third, second):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    second.listen()
    notes.append(outcome(third.bind, name))
    second.close()
    notes.append(outcome(third.bind, name))
    third.close()


async def listening_and_accepting(notes: Notes) -> None:
    loop = asyncio.get_running_loop()
    listener, name = await listening()
    notes.append(events(listener))
    notes.append(outcome(listener.accept))
    notes.append(listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    notes.append(outcome(listener.connect, name))
    notes.append(outcome(listener.recv, 1))
    notes.append(outcome(listener.send, b"x"))
    notes.append(outcome(listener.getpeername))
    client = new()
    notes.append(outcome(client.connect, name))
    await settle()
    notes.append(outcome(client.connect_ex, name))
    notes.append(events(client))
    notes.append(events(listener))
    notes.append(outcome(client.connect, name))
    server, peer = await loop.sock_accept(listener)
    notes.append(peer == client.getsockname())
    notes.append(server.getsockname() == name)
    notes.append(client.getpeername() == name)
    notes.append(outcome(client.listen))
    notes.append(outcome(client.bind, (HOST, 0)))
    for sock in (client, server, listener):
        sock.close()


async def a_listener_that_is_shut_down(notes: Notes) -> None:
    listener, name = await listening()
    notes.append(outcome(listener.shutdown, socket.SHUT_RDWR))
    notes.append(outcome(listener.accept))
    client = new()
    notes.append(outcome(client.connect, name))
    await settle()
    notes.append(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    client.close()
    listener.close()


async def refused(notes: Notes) -> None:
    closed, name = bound()
    closed.close()
    for _ in range(2):
        client = new()
        notes.append(outcome(client.connect, name))
        await settle()
        notes.append(events(client))
        notes.append(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        notes.append(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        notes.append(events(client))
        notes.append(outcome(client.getpeername))
        client.close()
    client = new()
    client.connect_ex(name)
    await settle()
    notes.append(outcome(client.connect, name))
    notes.append(outcome(client.recv, 1))
    notes.append(outcome(client.send, b"x"))
    client.close()


async def data(notes: Notes) -> None:
    client, server = await pair()
    notes.append((events(client), events(server)))
    notes.append(outcome(server.recv, 10))
    notes.append(client.send(b"hello, world"))
    await settle()
    notes.append(events(server))
    notes.append(server.recv(5, socket.MSG_PEEK))
    notes.append(server.recv(5))
    buffer = bytearray(10)
    notes.append((server.recv_into(buffer, 2), bytes(buffer)))
    notes.append(server.recvfrom(2))
    notes.append(server.recvmsg(2))
    views = [bytearray(1), bytearray(5)]
    notes.append((server.recvmsg_into(views)[0], views))
    notes.append(client.sendmsg([b"a", b"", b"bc"]))
    await settle()
    notes.append(outcome(server.recv, 10, socket.MSG_WAITALL))
    notes.append(outcome(client.sendto, b"x", server.getsockname()))
    client.close()
    await settle()
    notes.append(server.recv(10))
    notes.append(server.recv(10))
    server.close()


async def half_closed(notes: Notes) -> None:
    client, server = await pair()
    client.shutdown(socket.SHUT_WR)
    client.shutdown(socket.SHUT_WR)
    notes.append(outcome(client.send, b"x"))
    await settle()
    notes.append((events(client), events(server)))
    notes.append(server.recv(10))
    notes.append(server.send(b"tail"))
    await settle()
    notes.append(client.recv(10))
    server.shutdown(socket.SHUT_WR)
    await settle()
    notes.append((events(client), events(server)))
    notes.append((outcome(client.getpeername), outcome(client.shutdown, socket.SHUT_RDWR)))
    notes.append((client.recv(1), server.recv(1)))
    client.close()
    server.close()


async def nothing_more_is_read(notes: Notes) -> None:
    client, server = await pair()
    client.shutdown(socket.SHUT_RD)
    notes.append((events(client), events(server)))
    notes.append(client.recv(1))
    server.send(b"late")
    await settle()
    notes.append(client.recv(10))
    client.close()
    server.close()


async def reset(notes: Notes) -> None:
    client, server = await pair()
    server.send(b"before")
    await settle()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    await settle()
    notes.append(events(client))
    notes.append([outcome(client.recv, 10) for _ in range(3)])
    notes.append(outcome(client.send, b"x"))
    notes.append(outcome(client.getpeername))
    notes.append(events(client))
    client.close()


async def reset_while_sending(notes: Notes) -> None:
    client, server = await pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    await settle()
    notes.append([outcome(client.send, b"x") for _ in range(3)])
    notes.append(outcome(client.recv, 10))
    client.close()


async def a_full_send_buffer(notes: Notes) -> None:
    client, server = await pair()
    sent = 0
    while (taken := outcome(client.send, b"x" * 65536)) != "EAGAIN":
        sent += taken
        await settle()
    notes.append(events(client))
    got = 0
    while got < sent:
        got += len(await asyncio.get_running_loop().sock_recv(server, 1 << 20))
    await settle()
    notes.append(events(client))
    client.close()
    server.close()


async def datagrams(notes: Notes) -> None:
    here, there = bound(DATAGRAM)[0], bound(DATAGRAM)[0]
    name = there.getsockname()
    notes.append((events(here), outcome(here.recv, 10), outcome(here.getpeername)))
    notes.append((outcome(here.send, b"x"), outcome(here.listen), outcome(here.accept)))
    notes.append(here.sendto(b"text", name))
    notes.append(here.sendto(b"", 0, name))
    await settle()
    notes.append(events(there))
    notes.append(there.recv(2, socket.MSG_PEEK))
    data, source = there.recvfrom(2)
    notes.append((data, source == here.getsockname()))
    notes.append(there.recv(10))
    notes.append(outcome(there.recv, 10))
    here.connect(name)
    notes.append(here.getpeername() == name)
    notes.append(here.send(b"more"))
    notes.append(outcome(here.sendto, b"x" * 70_000, name))
    notes.append(outcome(here.bind, (HOST, 0)))
    there.close()
    here.send(b"nobody")
    await settle()
    notes.append((events(here), outcome(here.recv, 10), outcome(here.recv, 10)))
    here.send(b"nobody")
    await settle()
    notes.append((outcome(here.send, b"x"), outcome(here.send, b"x")))
    await settle()
    notes.append(here.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    notes.append(here.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    here.close()
    last = bound(DATAGRAM)[0]
    notes.append(outcome(last.shutdown, socket.SHUT_RDWR))
    notes.append((outcome(last.sendto, b"x", name), events(last)))
    last.close()


async def lives_of_descriptors(notes: Notes) -> None:
    client, server = await pair()
    second = client.dup()
    client.close()
    notes.append(second.send(b"through the other"))
    number = second.detach()
    notes.append(second.fileno())
    third = socket.socket(fileno=number)
    third.setblocking(False)
    await settle()
    notes.append(server.recv(100))
    copy = socket.fromfd(third.fileno(), socket.AF_INET, STREAM)
    third.close()
    file = copy.makefile("rwb")
    copy.close()
    file.write(b"line\n")
    file.flush()
    await settle()
    notes.append(server.recv(100))
    file.close()
    await settle()
    notes.append(server.recv(100))
    server.close()
    notes.append(outcome(server.recv, 1))


async def kinds_that_are_not_there(notes: Notes) -> None:
    notes.append(outcome(socket.socket, socket.AF_INET, STREAM, socket.IPPROTO_UDP))
    notes.append(outcome(socket.socket, socket.AF_INET, socket.SOCK_SEQPACKET))


async def mapped_datagrams(notes: Notes) -> None:
    """A socket of IPv6 that takes IPv4 along, as aioquic has one."""
    mapped = socket.socket(socket.AF_INET6, DATAGRAM)
    mapped.setblocking(False)
    mapped.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    notes.append(mapped.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    notes.append(outcome(mapped.setsockopt, socket.IPPROTO_IPV6, 29, 1))  # IPV6_MULTICAST_ALL
    mapped.bind(("::", 0, 0, 0))
    notes.append((mapped.getsockname()[0], *mapped.getsockname()[2:]))
    plain, name = bound(DATAGRAM)
    notes.append(mapped.sendto(b"there", (f"::ffff:{name[0]}", name[1], 0, 0)))
    await settle()
    data, source = plain.recvfrom(10)
    notes.append((data, source == (HOST, mapped.getsockname()[1])))
    plain.sendto(b"back", source)
    await settle()
    data, (host, port, *rest) = mapped.recvfrom(10)
    notes.append((data, host, port == name[1], rest))
    mapped.connect((f"::ffff:{name[0]}", name[1], 0, 0))
    notes.append((mapped.getpeername()[0], mapped.getsockname()[0]))
    mapped.close()
    plain.close()


IP_PKTINFO, IPV6_PKTINFO = (socket.IPPROTO_IP, 8), (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)


def told(sock: socket.socket, room: int = 100, flags: int = 0) -> Any:
    """All but the source's port."""
    found = outcome(sock.recvmsg, 10, room, flags)
    return (*found[:3], found[3][0]) if isinstance(found, tuple) else found


async def beside_a_datagram(notes: Notes) -> None:
    """Where it was sent to, and where another is to be sent from."""
    receiver, name = bound(DATAGRAM)
    receiver.setsockopt(*IP_PKTINFO, 1)
    notes.append(receiver.getsockopt(*IP_PKTINFO))
    sender = new(DATAGRAM)
    notes.append(told(receiver, flags=socket.MSG_ERRQUEUE))
    for _ in range(3):
        sender.sendto(b"eleven long", name)
    await settle()
    notes.append(told(receiver, flags=socket.MSG_PEEK))
    notes.append(told(receiver))
    notes.append(told(receiver, room=10))
    receiver.setsockopt(*IP_PKTINFO, 0)
    notes.append(told(receiver))
    for index, source in ((0, HOST), (1, HOST), (0, "0.0.0.0"), (0, "192.0.2.1"), (99, HOST)):
        said = struct.pack("=i4s4s", index, socket.inet_aton(source), bytes(4))
        notes.append(outcome(sender.sendmsg, [b"a", b"b"], [(*IP_PKTINFO, said)], 0, name))
        await settle()
        notes.append(told(receiver))
    notes.append(outcome(sender.sendmsg, [b"a"], [(*IP_PKTINFO, b"short")], 0, name))
    receiver.close()
    sender.close()


async def beside_a_mapped_datagram(notes: Notes) -> None:
    """As aiocoap asks for it, and as it answers."""
    ends = [socket.socket(socket.AF_INET6, DATAGRAM) for _ in range(2)]
    for sock in ends:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        notes.append(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO))
        sock.bind(("::", 0, 0, 0))
    here, there = ends
    there.sendto(b"asked", (f"::ffff:{HOST}", here.getsockname()[1], 0, 0))
    await settle()
    data, ancillary, flags, source = here.recvmsg(10, 100)
    notes.append((data, ancillary, flags, source[0]))
    notes.append(outcome(here.sendmsg, [b"answered"], ancillary, 0, source))
    await settle()
    notes.append(told(there))
    foreign = socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.1") + bytes(4)
    notes.append(outcome(here.sendmsg, [b"x"], [(*IPV6_PKTINFO, foreign)], 0, source))
    for sock in ends:
        sock.close()


test_as_the_kernel = held_to_the_kernel(
    a_new_socket,
    binding,
    listening_and_accepting,
    a_listener_that_is_shut_down,
    refused,
    data,
    half_closed,
    nothing_more_is_read,
    reset,
    reset_while_sending,
    a_full_send_buffer,
    beside_a_datagram,
    beside_a_mapped_datagram,
    mapped_datagrams,
    datagrams,
    lives_of_descriptors,
    kinds_that_are_not_there,
)
