"""Nodes in real time import what lies beside the topology file anew, as it was never imported."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from netsim import Network

TOPOLOGY: Final = """
name: fresh
nodes:
  a: {kind: computer, env: {COLOUR: red}}
  b: {kind: computer, env: {COLOUR: blue}}
links:
  - [a, b]
"""
STOCK: Final = """
import os, socket

begun_as = socket.gethostname(), os.environ.get("COLOUR")
hits = []

class SoldOut(Exception):
    pass

async def hit():
    hits.append(1)
    return [*begun_as, len(hits)]

async def sell(colour):
    raise SoldOut(colour)
"""
SCRIPT: Final = """
import asyncio, os
import stock
from netsim import Network

colour = os.environ.get("COLOUR")

async def told():
    return [colour, *await stock.hit()]

async def main():
    stock.hits += "several"
    async with Network("net.yaml") as network:
        print(await network["a"].run(told))
        async with network["a"].kill_program():
            print(await network["a"].run(told))
        print(await network["b"].run(told), len(stock.hits))

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "net.yaml").write_text(TOPOLOGY)
    (tmp_path / "stock.py").write_text(STOCK)
    (tmp_path / "play.py").write_text(SCRIPT)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    sys.modules.pop("stock", None)


def test_what_the_test_has_imported_is_not_what_computers_have(folder: Path) -> None:
    stock: Any = importlib.import_module("stock")
    stock.hits += "several"

    async def main() -> None:
        async with Network(folder / "net.yaml") as network:
            assert await network["a"].run(stock.hit) == ["a", "red", 1]
            assert await network["a"].run(stock.hit) == ["a", "red", 2]
            assert await network["b"].run(stock.hit) == ["b", "blue", 1]
            with pytest.raises(stock.SoldOut, match="green"):
                await network["b"].run(stock.sell, "green")

    asyncio.run(main())
    assert len(stock.hits) == len("several")


@pytest.mark.parametrize("started", [["play.py"], ["-m", "play"]], ids=["script", "module"])
def test_a_script_is_a_module_like_others(started: list[str], folder: Path) -> None:
    ended = subprocess.run(
        [sys.executable, *started], cwd=folder, capture_output=True, text=True, timeout=100
    )
    assert ended.stderr == ""
    assert ended.stdout.splitlines() == [
        "['red', 'a', 'red', 1]",
        "['red', 'a', 'red', 1]",
        f"['blue', 'b', 'blue', 1] {len('several')}",
    ]
