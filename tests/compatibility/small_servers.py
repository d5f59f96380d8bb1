"""Servers of a few lines for clients of databases."""

from __future__ import annotations

import asyncio
import struct

from partners import serve_streams


async def serve_redis(port: int) -> None:
    """PING, SET and GET."""
    kept: dict[bytes, bytes] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            words = []
            for _ in range(int(head[1:])):
                length = int((await reader.readline())[1:])
                words.append((await reader.readexactly(length + 2))[:-2])
            if words[0].upper() == b"SET":
                kept[words[1]] = words[2]
            if words[0].upper() == b"GET":
                found = kept.get(words[1], b"")
                writer.write(b"$%d\r\n%b\r\n" % (len(found), found))
            elif words[0].upper() == b"HELLO":
                writer.write(b"-ERR unknown command\r\n")
            else:
                writer.write(b"+OK\r\n")
            await writer.drain()

    await serve_streams(answer, port)


async def serve_mongo(port: int) -> None:
    """What PyMongo asks first, and `echo`."""
    import bson

    hello = {"ok": 1.0, "isWritablePrimary": True, "maxWireVersion": 21, "minWireVersion": 0}
    hello |= {"maxBsonObjectSize": 1 << 24, "maxMessageSizeBytes": 48_000_000}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            length, number, _, kind = struct.unpack("<iiii", await reader.readexactly(16))
            body = await reader.readexactly(length - 16)
            if kind == 2004:  # OP_QUERY, the first of a connection
                reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(hello)
                kind = 1
            else:
                asked = bson.decode(body[5:])
                said = hello | {"echo": asked.get("echo", b"")}
                reply = struct.pack("<iB", 0, 0) + bson.encode(said)
            writer.write(struct.pack("<iiii", len(reply) + 16, 0, number, kind) + reply)
            await writer.drain()

    await serve_streams(answer, port)


VERSION = b"PostgreSQL 15.0"


def has_rows(statement: bytes) -> bool:
    """It asks for some."""
    return b"SELECT" in statement.upper() or b"SHOW" in statement.upper()


async def serve_postgres(port: int) -> None:
    """Every statement has one row of one text: its last parameter."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(kind: bytes, body: bytes = b"") -> None:
            writer.write(kind + struct.pack(">i", len(body) + 4) + body)

        await reader.readexactly(struct.unpack(">i", await reader.readexactly(4))[0] - 4)
        say(b"R", struct.pack(">i", 0))
        for name, value in (("server_version", "15.0"), ("client_encoding", "UTF8")):
            say(b"S", f"{name}\0{value}\0".encode())
        say(b"Z", b"I")
        row = struct.pack(">h", 1) + b"echo\0" + struct.pack(">ihihih", 0, 0, 25, -1, -1, 0)
        given = VERSION
        statement = b""
        while kind := await reader.read(1):
            body = await reader.readexactly(struct.unpack(">i", await reader.readexactly(4))[0] - 4)
            match kind:
                case b"P":
                    statement = body
                    say(b"1")
                case b"B":
                    at = body.index(0, body.index(0) + 1) + 1
                    at += 2 + 2 * struct.unpack_from(">h", body, at)[0]
                    count = struct.unpack_from(">h", body, at)[0]
                    at += 2
                    given = given if count else VERSION
                    for _ in range(count):
                        length = struct.unpack_from(">i", body, at)[0]
                        given, at = body[at + 4 : at + 4 + length], at + 4 + length
                    say(b"2")
                case b"D":
                    if body[:1] == b"S":
                        count = b"$1" in statement
                        say(b"t", struct.pack(">h", count) + struct.pack(">i", 25) * count)
                    say(b"T", row) if has_rows(statement) else say(b"n")
                case b"E":
                    if has_rows(statement):
                        say(b"D", struct.pack(">hi", 1, len(given)) + given)
                    say(b"C", b"SELECT 1\0")
                case b"C":
                    say(b"3")
                case b"Q":
                    if has_rows(body):
                        say(b"T", row)
                        say(b"D", struct.pack(">hi", 1, len(VERSION)) + VERSION)
                    say(b"C", b"SET\0")
                    say(b"Z", b"I")
                case b"S":
                    say(b"Z", b"I")
                case b"X":
                    return
            await writer.drain()

    await serve_streams(answer, port)


async def serve_nats(port: int) -> None:
    """Subjects that are named in full."""
    subscribed: list[tuple[bytes, bytes, asyncio.StreamWriter]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b'INFO {"server_id":"1","version":"2.10.0","proto":1,"max_payload":67108864}\r\n'
        )
        try:
            while line := await reader.readline():
                match line.split():
                    case [b"PING"]:
                        writer.write(b"PONG\r\n")
                    case [b"SUB", subject, number]:
                        subscribed.append((subject, number, writer))
                    case [b"PUB", subject, *_, length]:
                        body = await reader.readexactly(int(length) + 2)
                        for wanted, number, who in subscribed:
                            if wanted == subject:
                                who.write(b"MSG %b %b %b\r\n%b" % (subject, number, length, body))
        finally:
            subscribed[:] = [each for each in subscribed if each[2] is not writer]

    await serve_streams(answer, port)


async def serve_stomp(port: int) -> None:
    """Who sends is sent the same."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            frame = (await reader.readuntil(b"\0"))[:-1].lstrip()
            head, _, body = frame.partition(b"\n\n")
            if head.startswith((b"CONNECT", b"STOMP")):
                writer.write(b"CONNECTED\nversion:1.1\n\n\0")
            elif head.startswith(b"SEND"):
                writer.write(b"MESSAGE\nsubscription:1\nmessage-id:1\ndestination:x\n\n%b\0" % body)
                await writer.drain()

    await serve_streams(answer, port)
