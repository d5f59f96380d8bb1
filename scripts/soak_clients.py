"""Clients of the campus that must get every answer, in a process of their own.

`scripts/soak` runs it: what a client's bodies leave in its heap is no growth of the supervisor.
It takes the address of the campus and a seed, goes on until its standard input ends, and writes
what was done and what failed as JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp

KIB = 1 << 10
PATIENCE = aiohttp.ClientTimeout(total=60)
"""Seconds that any one answer may take, stopped nodes and busy processors included."""
MOST_FAILURES = 1000
"""That are told; one is enough for the soak to fail."""


class Repeated:
    """Clients that do one thing after the other until `stop`. `failures` are broken promises."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        """Completed, by kind."""
        self.failures: list[str] = []
        self.ending = False
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, clients: list[Callable[[], Awaitable[None]]]) -> None:
        """Start each of them."""
        self.ending = False
        self._tasks = [asyncio.create_task(self._repeat(each)) for each in clients]

    async def finish(self) -> None:
        """Wait until each has done what is under way."""
        self.ending = True
        await asyncio.gather(*self._tasks)

    async def _repeat(self, client: Callable[[], Awaitable[None]]) -> None:
        name = client.__name__.strip("_")
        while not self.ending:
            try:
                await client()
                self.done[name] += 1
            except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
                if len(self.failures) < MOST_FAILURES:
                    self.failures.append(f"{name}: {type(error).__name__}: {error}")
                await asyncio.sleep(0.5)


class Clients(Repeated):
    """HTTP and a WebSocket through the port of the campus."""

    def __init__(self, base: str, random: Random, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self._base = base
        self._random = random
        self._session = session

    def start(self) -> None:
        """Begin."""
        asking = [self._ask for _ in range(6)]
        self.begin([*asking, self._download, self._upload, self._chat, self._page])

    async def _ask(self) -> None:
        number = str(self._random.randrange(1 << 30))
        async with self._session.get(f"{self._base}/get?n={number}") as reply:
            assert (await reply.json())["args"] == {"n": number}

    async def _page(self) -> None:
        async with self._session.get(self._base) as reply:
            assert "r1" in await reply.text()
        await asyncio.sleep(0.2)

    async def _download(self) -> None:
        seed = str(self._random.randrange(8))
        expected = Random(seed).randbytes(64 * KIB)
        count = 64 * KIB * self._random.randint(1, 32)
        async with self._session.get(f"{self._base}/bytes/{count}?seed={seed}") as reply:
            body = await reply.read()
        assert body.startswith(expected)
        assert len(body) == count

    async def _upload(self) -> None:
        body = self._random.randbytes(self._random.randint(1, 1 << 20))
        async with self._session.put(f"{self._base}/upload", data=body) as reply:
            answer = await reply.json()
        assert answer == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    async def _chat(self) -> None:
        async with self._session.ws_connect(f"{self._base}/ws") as websocket:
            while not self.ending:
                text = "x" * self._random.randint(1, 2000)
                await websocket.send_str(text)
                assert await websocket.receive_str(timeout=60) == text
                self.done["message"] += 1
                await asyncio.sleep(0.01)


async def main(base: str, seed: int) -> None:
    """Until standard input ends."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session:
        clients = Clients(base, Random(seed), session)
        clients.start()
        await asyncio.to_thread(sys.stdin.read)
        await clients.finish()
    print(json.dumps({"done": clients.done, "failures": clients.failures}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
