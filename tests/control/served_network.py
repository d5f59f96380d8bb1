"""A control API that is served for a network that is only told of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from fake_network import FakeNetwork, Served

from netsim.control.state_directory import StateDirectory


@pytest_asyncio.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    served = Served(FakeNetwork(), StateDirectory.claim("campus"))
    await served.server.start(served.state.listen())
    yield served
    served.network.released.set()
    await served.server.close()
    served.state.release()


@pytest_asyncio.fixture
async def http(served: Served) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(str(served.state.path / "control.sock"))
    async with aiohttp.ClientSession("http://netsim", connector=connector) as session:
        yield session
