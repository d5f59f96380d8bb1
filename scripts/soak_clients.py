"""Clients of the campus that must get every answer, and rude ones, in a process of their own.

`scripts/soak` runs it: what a client's bodies leave in its heap is no growth of the supervisor.
It takes the address of the campus and a seed, goes on until its standard input ends, and writes
what was done and what failed as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import socket
import struct
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


class RudeClients(Repeated):
    """Disturbances, one after the other: clients that go away, and others who need the machine."""

    def __init__(self, base: str, random: Random) -> None:
        super().__init__()
        host, _, port = base.removeprefix("http://").rpartition(":")
        self._entrance = (host, int(port))
        self._random = random
        self.disturbed: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self.begin([self._disturb])

    async def _disturb(self) -> None:
        choices: list[Callable[[], Awaitable[None]]] = [
            self._hog_a_processor,
            self._burst_of_connections,
            self._abort_a_download,
            self._abort_an_upload,
        ]
        await asyncio.sleep(self._random.uniform(0.1, 1.5))
        choice = self._random.choice(choices)
        await choice()
        self.disturbed[choice.__name__.strip("_").replace("_", " ")] += 1

    async def _hog_a_processor(self) -> None:
        """Somebody else needs the CPU for a second."""
        code = "import time; end = time.time() + 1\nwhile time.time() < end: pass"
        hog = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", code)
        try:
            await hog.wait()
        finally:
            if hog.returncode is None:
                hog.kill()
                await hog.wait()

    async def _burst_of_connections(self) -> None:
        """Opened all at once and reset, some with half a request sent."""
        sockets = []
        loop = asyncio.get_running_loop()
        for _ in range(self._random.randint(5, 60)):
            sock = socket.socket()
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sockets.append(sock)
        try:
            await asyncio.gather(*(loop.sock_connect(sock, self._entrance) for sock in sockets))
            for sock in sockets[::2]:
                await loop.sock_sendall(sock, b"GET /bytes/100000 HTTP/1.1\r\nHost: w")
            for sock in sockets[::4]:
                await loop.sock_sendall(sock, b"eb\r\n\r\n")
            await asyncio.sleep(self._random.uniform(0, 0.1))
        finally:
            for sock in sockets:
                sock.close()

    async def _abort_a_download(self) -> None:
        """The client goes away in the middle."""
        reader, writer = await asyncio.open_connection(*self._entrance)
        writer.write(b"GET /bytes/50000000 HTTP/1.1\r\nHost: web\r\n\r\n")
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readexactly(self._random.randint(1, 500_000))
        writer.transport.abort()

    async def _abort_an_upload(self) -> None:
        """The client goes away before it has sent what it promised."""
        _, writer = await asyncio.open_connection(*self._entrance)
        writer.write(b"PUT /upload HTTP/1.1\r\nHost: web\r\nContent-Length: 50000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(self._random.randint(1, 20)):
                writer.write(bytes(10_000))
                await writer.drain()
        writer.transport.abort()


async def main(base: str, seed: int) -> None:
    """Until standard input ends."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session:
        clients = Clients(base, Random(seed), session)
        rude = RudeClients(base, Random(seed))
        clients.start()
        rude.start()
        await asyncio.to_thread(sys.stdin.read)
        await asyncio.gather(clients.finish(), rude.finish())
    failures = clients.failures + rude.failures
    told = {"done": clients.done, "disturbed": rude.disturbed, "failures": failures}
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
