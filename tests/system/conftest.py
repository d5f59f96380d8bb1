"""Whole networks in processes: started for one test, and nothing of them left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from networks import Curl, StartNetwork

from netsim.runtime.network import Network


@pytest.fixture
def start_network(tmp_path: Path) -> StartNetwork:
    """`async with start_network(yaml_text) as network:`

    At the end every frame must be accounted for and every process gone.
    """

    @asynccontextmanager
    async def start(text: str) -> AsyncIterator[Network]:
        file = tmp_path / "topology.yaml"
        file.write_text(text)
        network = Network(file)
        before = set(psutil.Process().children(recursive=True))
        async with network:
            yield network
            if network.state == "running":
                for account in await network.accounts():
                    account.check()
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
