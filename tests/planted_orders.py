"""Four programs with a mistake each, which only another order, or other times of packets, show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any


async def lost_update(*others: Any) -> int:
    """What two deposits of 10 and 20 come to: 30, if no other task comes between."""
    balance = 0

    async def deposit(amount: int) -> None:
        nonlocal balance
        await asyncio.sleep(1)
        before = balance
        await asyncio.sleep(0)
        balance = before + amount

    await asyncio.gather(deposit(10), deposit(20), *others)
    return balance


BANK = """\
import asyncio

balance = 0


async def deposit(amount):
    global balance
    await asyncio.sleep(1)
    before = balance
    await asyncio.sleep(0)
    balance = before + amount


async def main():
    await asyncio.gather(deposit(10), deposit(20))
    return balance


async def total():
    return balance
"""
ONE_PROGRAM = """\
name: bank
nodes: {app: {kind: computer, run: "bank:main"}, web: {kind: computer}}
links: [{endpoints: [app, web], delay: 1ms}]
"""

TILL = """\
import threading
import time

balance = 0


def deposit():
    global balance
    time.sleep(1)
    balance += 10


def withdraw():
    global balance
    time.sleep(1)
    if balance >= 10:
        balance -= 10


def main():
    for function in (deposit, withdraw):
        threading.Thread(target=function).start()


def total():
    return balance
"""

STORE = """\
import asyncio

value = 0


async def serve():
    async def answer(reader, writer):
        global value
        while line := await reader.readline():
            if line != b"get\\n":
                value = int(line)
            writer.write(b"%d\\n" % value)
    async with await asyncio.start_server(answer, port=80) as server:
        await server.serve_forever()


async def deposit(amount):
    reader, writer = await asyncio.open_connection("store", 80)
    await asyncio.sleep(1 - asyncio.get_running_loop().time() % 1)
    writer.write(b"get\\n")
    before = int(await reader.readline())
    writer.write(b"%d\\n" % (before + amount))
    await reader.readline()
    writer.close()


async def total():
    return value
"""
ACROSS_A_NETWORK = """\
name: bank
nodes:
  near: {kind: computer, run: {call: "bank:deposit", args: {amount: 10}}}
  far: {kind: computer, run: {call: "bank:deposit", args: {amount: 20}}}
  r1: {kind: router}
  store: {kind: computer, run: "bank:serve", ready: 80}
links:
  - {endpoints: [near, r1], delay: 2ms}
  - {endpoints: [far, r1], delay: 10ms, jitter: JITTER}
  - {endpoints: [r1, store], delay: 10us}
"""

CACHE = """\
import asyncio

value = cached = 0
seen = []


async def apply(new):
    global value
    await asyncio.sleep(0.001)
    value = new


async def refresh():
    global cached
    await asyncio.sleep(0.001)
    cached = value
    await asyncio.sleep(0.003)
    cached = value


async def serve():
    refreshed = []

    async def answer(reader, writer):
        while line := await reader.readline():
            if line != b"get\\n":
                applied = asyncio.create_task(apply(int(line)))
                refreshed.append(asyncio.create_task(refresh()))
                await applied
                writer.write(b"done\\n")
            else:
                writer.write(b"%d\\n" % cached)
    async with await asyncio.start_server(answer, port=80) as server:
        await server.serve_forever()


async def use():
    reader, writer = await asyncio.open_connection("store", 80)
    for number in range(1, 4):
        writer.write(b"%d\\n" % number)
        await reader.readline()
        writer.write(b"get\\n")
        seen.append(int(await reader.readline()))
        await asyncio.sleep(0.1)


async def total():
    return seen
"""
WITH_A_CACHE = """\
name: bank
nodes:
  app: {kind: computer, run: "bank:use"}
  store: {kind: computer, run: "bank:serve", ready: 80}
links: [{endpoints: [app, store], delay: 2ms, jitter: JITTER}]
"""
SCENARIO = """\
name: nothing is lost
topology: net.yaml
steps:
  - wait: 3s
  - run: {host: HOST, call: "bank:total", expect: {returns: EXPECTED}}
"""


def in_one_program(folder: Path) -> Path:
    """Two tasks that wake at the same time read, and write what they have read and more."""
    return _write(folder, BANK, ONE_PROGRAM, "app", "30")


def in_threads(folder: Path) -> Path:
    """One of two threads that wake at the same time looks for what the other brings."""
    return _write(folder, TILL, ONE_PROGRAM, "app", "0")


def across_a_network(folder: Path, jitter: str) -> Path:
    """Two computers do it, at a store. The near one is done before the far one is heard."""
    return _write(folder, STORE, ACROSS_A_NETWORK.replace("JITTER", jitter), "store", "30")


def of_both(folder: Path, jitter: str) -> Path:
    """A cache that was refreshed before the value was there is wrong for 3 ms.

    Who asks for the value when the write is acknowledged comes 4 ms after it, without jitter.
    """
    return _write(folder, CACHE, WITH_A_CACHE.replace("JITTER", jitter), "app", "[1, 2, 3]")


def _write(folder: Path, program: str, network: str, host: str, expected: str) -> Path:
    (folder / "bank.py").write_text(program)
    (folder / "net.yaml").write_text(network)
    file = folder / "bank.yaml"
    file.write_text(SCENARIO.replace("HOST", host).replace("EXPECTED", expected))
    return file
