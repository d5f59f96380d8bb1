"""aioftp."""

from __future__ import annotations

import uuid

import aioftp
from partners import ALL, check, text_of

KIND = "Files"
PACKAGES = ("aioftp",)
ROLES = "both"
PORT = 21


async def serve() -> None:
    user = aioftp.User(permissions=[aioftp.Permission("/", readable=True, writable=True)])
    await aioftp.Server([user], path_io_factory=aioftp.MemoryPathIO).run(ALL, PORT)


async def exchange(host: str, size: int) -> None:
    async with aioftp.Client.context(host, PORT) as client:
        name = uuid.uuid4().hex
        async with client.upload_stream(name) as stream:
            await stream.write(text_of(size))
        async with client.download_stream(name) as stream:
            check(text_of(size), await stream.read())
