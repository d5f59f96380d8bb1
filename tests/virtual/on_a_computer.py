"""A program on a computer in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from plans import plan_of

import netsim

Result = TypeVar("Result")


def on_a_computer(program: Callable[[], Awaitable[Result]]) -> Result:
    results: list[Result] = []

    async def main() -> None:
        async with netsim.Network(plan_of("a b"), time="virtual") as network:
            results.append(await network["a"].run(program))

    netsim.run(main())
    return results[0]
