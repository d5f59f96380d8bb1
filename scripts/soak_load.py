"""What `scripts/soak` does to a network: clients that must get every answer, and disturbances.

What needs only the port of the network is done by a process of its own (soak_clients.py).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

from soak_clients import Repeated

from netsim import Network, ToolRun

CLIENTS = Path(__file__).with_name("soak_clients.py")


class Load(Repeated):
    """Clients of everything the campus serves: tools here, HTTP in a process of its own."""

    def __init__(self, network: Network, random: Random) -> None:
        super().__init__()
        self.network = network
        self._random = random
        self._base = f"http://{network.ports()[0]['listen']}"
        self._clients: asyncio.subprocess.Process | None = None
        self.disturbed: Counter[str] = Counter()
        """Disturbances by clients, by kind."""

    async def start(self) -> None:
        """Begin."""
        self._clients = await asyncio.create_subprocess_exec(
            *(sys.executable, str(CLIENTS), self._base, str(self._random.randrange(1 << 30))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.begin([self._ping, self._curl])

    async def stop(self) -> None:
        """Finish what is under way and close every connection."""
        assert self._clients is not None
        told, _ = await self._clients.communicate(b"")  # its input ends
        await self.finish()
        if self._clients.returncode:
            self.failures.append(f"the clients ended with exit code {self._clients.returncode}")
            return
        told_of = json.loads(told)
        self.done.update(told_of["done"])
        self.disturbed.update(told_of["disturbed"])
        self.failures += told_of["failures"]

    async def once(self) -> None:
        """Each kind of client at least once."""
        await self.start()
        await asyncio.sleep(1)
        await self.stop()

    async def _ping(self) -> None:
        node = self._random.choice(["bob", "lab-1", "lab-2", "r4", "files"])
        code, output = await self.run(node, "ping", "-c", "3", "-i", "0.1", "-W", "10", "web")
        assert code == 0, output

    async def _curl(self) -> None:
        node = self._random.choice(["bob", "lab-3", "lab-4"])
        address = self._random.choice(["http://files/", "http://web/ip"])
        code, output = await self.run(node, "curl", "-sS", "--max-time", "60", address)
        assert code == 0, output
        await asyncio.sleep(0.1)

    async def run(self, node: str, *argv: str, limit: float | None = None) -> tuple[int, str]:
        """A tool at a node, interrupted after `limit` seconds: exit code and output."""
        printed: list[bytes] = []
        interrupt = asyncio.Event()
        if limit is not None:
            asyncio.get_running_loop().call_later(limit, interrupt.set)
        tool = ToolRun(
            argv=argv,
            cwd="/",
            output=lambda _, data: printed.append(data),
            interrupt=interrupt,
        )
        code = await self.network.exec(node, tool)
        return code, b"".join(printed).decode(errors="replace")


class Disturbances:
    """Small misfortunes of nodes and tools, one after the other, drawn from a seeded random.

    Those of clients, and the hog of a processor, are in the process of the clients.
    """

    def __init__(self, load: Load, random: Random) -> None:
        self.done: Counter[str] = Counter()
        self.pids: list[int] = []
        """Of the nodes."""
        self.awake = asyncio.Lock()
        """Held while a node is stopped, so that nobody asks it anything."""
        self._load = load
        self._random = random

    async def run(self) -> None:
        """Until cancelled."""
        choices: list[Callable[[], Awaitable[None]]] = [
            self.stop_a_node,
            self.interrupt_a_ping,
        ]
        while True:
            await asyncio.sleep(self._random.uniform(0.1, 3.0))
            choice = self._random.choice(choices)
            await choice()
            self.done[choice.__name__.replace("_", " ")] += 1

    async def stop_a_node(self) -> None:
        """SIGSTOP, and SIGCONT some milliseconds later."""
        pid = self._random.choice(self.pids)
        async with self.awake:
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(self._random.uniform(0.005, 0.4))
            finally:
                os.kill(pid, signal.SIGCONT)

    async def interrupt_a_ping(self) -> None:
        """Ctrl-C at a tool."""
        limit = self._random.uniform(0.01, 0.5)
        await self._load.run("lab-5", "ping", "-i", "0.01", "web", limit=limit)
