"""What the tests of whole networks share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from netsim.runtime.network import Network

ROOT = Path(__file__).resolve().parent.parent.parent
CAMPUS = ROOT / "topologies" / "campus.yaml"

StartNetwork = Callable[[str], AbstractAsyncContextManager[Network]]
Curl = Callable[..., Coroutine[Any, Any, bytes]]


def campus_text(**replacements: str) -> str:
    """campus.yaml with a free host port, and with other replacements `old=new` (by value)."""
    text = CAMPUS.read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
    text = text.replace("./site", str(ROOT / "topologies" / "site"))
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


def url(network: Network, path: str) -> str:
    """A path on what the network's first port leads to."""
    return f"http://{network.ports()[0]['listen']}{path}"


async def tool(network: Network, node: str, *argv: str, json: bool = False) -> tuple[int, str]:
    """Run a tool at a node: its exit code, and what it printed."""
    printed: list[bytes] = []
    code = await network.exec(
        node,
        list(argv),
        cwd="/",
        output=lambda _, data: printed.append(data),
        interrupt=asyncio.Event(),
        json=json,
    )
    return code, b"".join(printed).decode()
