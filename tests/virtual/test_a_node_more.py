"""A node added at the end of the file changes nobody's run: the others' frames are the same."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
import weakref
from pathlib import Path
from typing import Any

from netsim import Network, run

LAN = """\
name: lan
seed: 7
order: random
host_jitter: 20us
nodes:
  alice: {kind: computer}
  r1: {kind: router}
  web: {kind: computer}
CAROL
links:
  - {endpoints: [alice, r1], delay: 2ms, jitter: 1ms, loss: 5%, bandwidth: 10mbit}
  - {endpoints: [r1, web], delay: 1ms, jitter: 1ms}
"""


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        await asyncio.sleep(random.random() / 100)
        writer.write(line[:-1] + uuid.uuid4().hex.encode() + b"\n")
    writer.close()


async def serve() -> None:
    await asyncio.start_server(_answer, port=80)


async def ask() -> None:
    async def client(number: int) -> None:
        await asyncio.sleep(random.choice([0.01, 0.02]))
        reader, writer = await asyncio.open_connection("web", 80)
        for _ in range(5):
            writer.write(f"{number} {random.random()}\n".encode())
            await reader.readline()
        writer.close()

    await asyncio.gather(*map(client, range(6)))


class Listener:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer


async def tell_all() -> None:
    """Sets of plain objects that the standard library keeps: who comes first, and on which line."""
    connections = [await asyncio.open_connection("web", 80) for _ in range(20)]
    listeners = weakref.WeakSet(everybody := [Listener(writer) for _, writer in connections])
    for number, listener in enumerate(listeners):
        listener.writer.write(f"{number}\n".encode())
    listeners -= weakref.WeakSet(everybody[3:5])
    for listener in listeners | {everybody[4]}:
        listener.writer.write(b"once more\n")

    async def line(number: int) -> bytes:
        reader, writer = connections[number]
        writer.write(f"again {number}\n".encode())
        return await reader.readline()

    for first in asyncio.as_completed([line(number) for number in range(20)]):
        connections[0][1].write(await first)
    for listener in everybody:
        listener.writer.close()


async def draw() -> None:
    """Carol's: chance of her own, and nothing that reaches the others."""
    for _ in range(100):
        await asyncio.sleep(random.random() / 50)
        uuid.uuid4()


def frames(folder: Path, carol: bool) -> dict[int, list[dict[str, Any]]]:
    """Of each link, as the trace has them."""
    text = LAN.replace("CAROL", "  carol: {kind: computer}" if carol else "")
    file = folder / f"{carol}.yaml"
    file.write_text(text + ("  - {endpoints: [carol, r1], jitter: 1us}\n" if carol else ""))
    trace = folder / f"{carol}.jsonl"

    async def main() -> None:
        async with Network(file, time="virtual") as network:
            network.trace_frames(trace)
            await network["web"].run(serve)
            other = asyncio.create_task(network["carol"].run(draw)) if carol else None
            await network["alice"].run(ask)
            await network["alice"].run(tell_all)
            await asyncio.sleep(5)
            if other is not None:
                await other

    run(main())
    links: dict[int, list[dict[str, Any]]] = {}
    for line in trace.read_text().splitlines():
        record = json.loads(line)
        if "frame" in record:
            links.setdefault(record["link"], []).append(record)
    return links


def test_the_frames_of_the_others_are_the_same(tmp_path: Path) -> None:
    before, after = frames(tmp_path, False), frames(tmp_path, True)
    assert {len(each) > 100 for each in before.values()} == {True}
    assert {link: after[link] for link in before} == before
