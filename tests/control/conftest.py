from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from fake_network import FakeNetwork, Served

from netsim.runtime.state import StateDirectory


@pytest_asyncio.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    served = Served(FakeNetwork(), StateDirectory.claim("campus"))
    await served.server.start(served.state.listen())
    yield served
    await served.server.close()
    served.state.release()
