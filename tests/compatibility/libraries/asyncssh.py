"""asyncssh."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
from partners import ALL, check, text_of

KIND = "SSH"
PACKAGES = ("asyncssh",)
ROLES = "both"
PORT = 22


class Open(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return False


async def cat(process: Any) -> None:
    process.stdout.write(await process.stdin.read())
    process.exit(0)


async def serve() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    await asyncssh.listen(
        ALL, PORT, server_factory=Open, server_host_keys=[key], process_factory=cat, encoding=None
    )
    await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    async with asyncssh.connect(host, PORT, known_hosts=None, username="me", config=None) as client:
        result = await client.run("cat", input=text_of(size), encoding=None, check=True)
        check(text_of(size), result.stdout)
