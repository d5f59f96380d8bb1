"""What the scenarios of the tasks ask from a computer."""

from __future__ import annotations

import asyncio

WORDS = [b"hello\n", bytes(range(256)), b"x" * 10_000]


async def ask_back(host: str, port: int) -> bool:
    """Whether what is sent comes back: a line, every byte there is, and more than one packet."""
    reader, writer = await asyncio.open_connection(host, port)
    for word in WORDS:
        writer.write(word)
        if await reader.readexactly(len(word)) != word:
            return False
    writer.close()
    await writer.wait_closed()
    return True
