"""Threads of two computers that race, over a lossy link: what is told, and the course of frames."""

from __future__ import annotations

import asyncio
import json
import queue
import random
import sys
import threading
import time
from typing import Any

from plans import plan_of

import netsim

told: list[Any] = []


def race(name: str) -> None:
    lock, goods = threading.Lock(), queue.Queue[int](2)

    def make(number: int) -> None:
        for _ in range(10):
            time.sleep(random.random() / 100)
            with lock:
                goods.put(number)

    def take() -> None:
        for _ in range(40):
            told.append((name, goods.get(), time.monotonic_ns()))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    threads.append(threading.Thread(target=take))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


async def visit(name: str) -> None:
    async def ask() -> int:
        reader, writer = await asyncio.open_connection("b", 80)
        data = await reader.read()
        writer.close()
        return len(data)

    def work() -> None:
        for _ in range(3):
            told.append((name, asyncio.run(ask()), time.monotonic_ns()))

    await asyncio.gather(
        asyncio.to_thread(race, name), *(asyncio.to_thread(work) for _ in range(3))
    )


async def serve() -> None:
    async def answer(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(await asyncio.to_thread(random.randbytes, 20_000))
        writer.close()

    await asyncio.start_server(answer, port=80)


async def main() -> None:
    async with netsim.Network(plan_of("a b"), time="virtual", seed=3) as network:
        await network["b"].run(serve)
        await asyncio.gather(network["a"].run(visit, "first"), network["b"].run(visit, "second"))
    loop: Any = asyncio.get_running_loop()
    assert not [each for each in loop.timeline.findings if each.kind != "order"]
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    netsim.run(main())
