"""Whole networks, for tests: started, used, and nothing of them left behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from netsim import Network, NetworkPlan, run
from netsim.core.time import Time
from netsim.site.backend import ToolRun

ROOT = Path(__file__).resolve().parent.parent
CAMPUS = ROOT / "topologies" / "campus.yaml"
SITE = ROOT / "topologies" / "site"
NETSIM = [sys.executable, "-m", "netsim"]

StartNetwork = Callable[[str], AbstractAsyncContextManager[Network]]
Curl = Callable[..., Coroutine[Any, Any, bytes]]


def campus_text(**replacements: str) -> str:
    """campus.yaml with a free host port, and with other replacements `old=new` (by value)."""
    text = CAMPUS.read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
    text = text.replace("./site", str(SITE))
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


def two_computers(folder: Path, *, alice: str = "", web: str = "", **modules: str) -> Path:
    """A topology file: alice – web, on a cable of 1 ms, with more words of each.

    `modules` are programs that lie beside it: a name and the text.
    """
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    file = folder / "two.yaml"
    file.write_text(
        "name: two\ndefaults: {link: {delay: 1ms}}\nnodes:\n"
        f"  alice: {{kind: computer, {alice}}}\n  web: {{kind: computer, {web}}}\n"
        "links: [[alice, web]]\n"
    )
    return file


HTTPBIN = "services: {80: 'netsim.services.httpbin:create_app'}"


async def check_accounts(network: Network) -> int:
    """Every frame is accounted for; how many were lost with nodes."""
    lost = 0
    for account in await network.accounts():
        account.check()
        lost += account.dropped.get("lost_with_node", 0)
    return lost


def play(
    time: Time, topology: Path | NetworkPlan, test: Callable[[Network], Awaitable[None]]
) -> Network:
    """Run `test` on a network in that time; gives the network as it was left.

    At the end every frame must be accounted for and every process gone.
    """
    network: list[Network] = []

    async def main() -> None:
        async with Network(topology, time=time) as started:
            network.append(started)
            await test(started)
            await check_accounts(started)

    before = set(psutil.Process().children(recursive=True))
    (run if time == "virtual" else asyncio.run)(main())
    assert set(psutil.Process().children(recursive=True)) <= before
    return network[0]


class Watchdog:
    """Runs `netsim down --all` at the end of a test, also of one that is killed.

    A process of its own waits for the end of a pipe, which only this one has open: networks of
    `up -d` have left the tests' family, and outlive it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """`environment` names the runtime directory (XDG_RUNTIME_DIR), in which all are ended."""
        networks = Path(environment["XDG_RUNTIME_DIR"], "netsim")
        self._process = subprocess.Popen(
            ["sh", "-c", 'cat; [ ! -e "$0" ] || exec "$@"', networks, *NETSIM, "down", "--all"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # whoever kills the tests' process group does not mean it
        )

    def close(self) -> None:
        """Nothing runs any more when it returns."""
        self._process.communicate()
        assert self._process.returncode == 0


@pytest.fixture
def start_network(tmp_path: Path) -> StartNetwork:
    """`async with start_network(yaml_text) as network:`

    At the end every frame must be accounted for and every process gone.
    """

    @asynccontextmanager
    async def start(text: str) -> AsyncGenerator[Network]:
        file = tmp_path / "topology.yaml"
        file.write_text(text)
        network = Network(file)
        before = set(psutil.Process().children(recursive=True))
        async with network:
            yield network
            if network.state == "running":
                await check_accounts(network)
        assert set(psutil.Process().children(recursive=True)) <= before

    return start


@pytest.fixture
def curl() -> Curl:
    """`await curl(*arguments)`: the output of a real curl; it must succeed."""

    async def run(*arguments: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            "curl", "-sS", "--fail", *arguments, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, f"curl {' '.join(arguments)} exited {process.returncode}"
        return output

    return run


def url(network: Network, path: str) -> str:
    """A path on what the network's first port leads to."""
    return f"http://{network.ports()[0]['listen']}{path}"


async def held_frames(network: Network, node: str, peer: str) -> int:
    """How many frames wait at `node` for the link to `peer`."""
    facts = await network.inspect_node(node)
    return sum(each["tx"]["queued"] for each in facts["interfaces"] if each["peer"] == peer)


async def lines_of(network: Network) -> AsyncGenerator[str, None]:
    """What was logged, and what is logged from now on."""
    following = network.subscribe_to_logs()
    try:
        for line in network.logs()["lines"]:
            yield line["text"]
        async for line in following:
            yield line["text"]
    finally:
        following.close()


async def until(network: Network, condition: Callable[[], bool]) -> None:
    """Until it holds, which an event tells of."""
    events = network.subscribe()
    try:
        async with asyncio.timeout(20):
            while not condition():
                await anext(events)
    finally:
        events.close()


async def tool(network: Network, node: str, *argv: str, json: bool = False) -> tuple[int, str]:
    """Run a tool at a node: its exit code, and what it printed."""
    printed: list[bytes] = []
    code = await network.exec(
        node,
        ToolRun(argv=argv, cwd="/", output=lambda _, data: printed.append(data), json=json),
    )
    return code, b"".join(printed).decode()
