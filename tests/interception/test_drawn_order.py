"""What runs next of that which is ready: what may change places, and what may not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from netsim.interception.drawn_order import Choice, Choices, DrawnOrder
from netsim.interception.order_draws import Draw, PriorityDraw, UniformDraw


class Loop(asyncio.SelectorEventLoop):
    """asyncio's, whose queue is drawn from; every iteration is one instant."""

    def __init__(self, order: DrawnOrder) -> None:
        super().__init__()
        self.drawn = order

    def play(self, main: Coroutine[Any, Any, None]) -> None:
        """Run until nothing is ready."""
        asyncio.set_event_loop(self)
        self._ready = self.drawn
        asyncio.events._set_running_loop(self)
        try:
            self.create_task(main)
            while len(self.drawn):
                handle = self.drawn.take(0)
                if not handle.cancelled():
                    handle._run()
        finally:
            asyncio.events._set_running_loop(None)
            asyncio.set_event_loop(None)
            self.close()


def first(tasks: Sequence[Any], calls: int = 0) -> int:
    return 0


def last(tasks: Sequence[Any], calls: int = 0) -> int:
    return len(tasks) - 1


def seen(
    program: Callable[[list[str]], Coroutine[Any, Any, None]],
    draw: Draw | None = last,
    script: dict[Choice, int] | None = None,
) -> tuple[list[str], Choices]:
    """What the program wrote down, and what was chosen."""
    choices = Choices()
    choices.script = script
    written: list[str] = []
    Loop(DrawnOrder("app", choices, draw)).play(program(written))
    return written, choices


_started: set[asyncio.Task[None]] = set()


def start(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(coroutine)
    _started.add(task)
    task.add_done_callback(_started.discard)
    return task


async def three_tasks(written: list[str]) -> None:
    async def step(name: str) -> None:
        written.append(name)

    for name in "abc":
        asyncio.get_running_loop().create_task(step(name))


def test_ready_tasks_run_in_the_order_that_is_chosen() -> None:
    assert seen(three_tasks, first)[0] == ["a", "b", "c"]
    written, choices = seen(three_tasks)
    assert written == ["c", "b", "a"]
    assert choices.swaps == [(Choice("app", 0, 0), 2), (Choice("app", 0, 1), 1)]
    assert [(swap.position, len(swap.before)) for swap in choices.last] == [(2, 2), (1, 1)]
    assert choices.last[0].ran.stack() == [f"test_drawn_order.py:{_line(three_tasks)} in {_STEP}"]


def _line(program: Any) -> int:
    line: int = program.__code__.co_firstlineno + 1
    return line


_STEP = "three_tasks.<locals>.step"


def test_callbacks_of_one_chain_keep_their_place() -> None:
    async def program(written: list[str]) -> None:
        async def step(name: str) -> None:
            written.append(name)

        loop = asyncio.get_running_loop()
        for name in "abc":
            start(step(name))
        loop.call_soon(written.append, "first callback")
        start(step("d"))
        start(step("e"))
        loop.call_soon(written.append, "second callback")

    written, _ = seen(program)
    assert written == ["c", "b", "a", "first callback", "e", "d", "second callback"]


def test_callbacks_run_in_their_order_whatever_chain_runs() -> None:
    async def program(written: list[str]) -> None:
        loop: Any = asyncio.get_running_loop()
        for number in range(3):
            loop.drawn.begin_chain()
            loop.call_soon(written.append, f"callback {number}")

    for draw in (last, UniformDraw(Random(1)), first):
        assert seen(program, draw)[0] == ["callback 0", "callback 1", "callback 2"]


def test_between_chains_there_is_a_choice_and_without_a_swap_one_runs_to_its_end() -> None:
    async def program(written: list[str]) -> None:
        async def steps(name: str) -> None:
            for number in range(3):
                written.append(f"{name}{number}")
                await asyncio.sleep(0)

        loop: Any = asyncio.get_running_loop()
        for name in "ab":
            loop.drawn.begin_chain()
            start(steps(name))

    assert seen(program, first)[0] == ["a0", "a1", "a2", "b0", "b1", "b2"]
    script = {Choice("app", 0, 1): 1}
    written, choices = seen(program, None, script)
    assert written == ["a0", "b0", "b1", "b2", "a1", "a2"]
    assert choices.swaps == [*script.items()]
    # What was open before the scripted one would be a script that was tried already.
    assert all(choice > Choice("app", 0, 1) for choice, _ in choices.open)


def test_who_polls_does_not_keep_out_what_he_polls_for() -> None:
    async def program(written: list[str]) -> None:
        async def poll() -> None:
            while "done" not in written:
                await asyncio.sleep(0)

        async def work() -> None:
            written.append("done")

        loop: Any = asyncio.get_running_loop()
        loop.drawn.begin_chain()
        start(poll())
        loop.drawn.begin_chain()
        start(work())

    assert seen(program, first)[0] == ["done"]
    assert seen(program, None, {})[0] == ["done"]


def test_the_same_stream_draws_the_same_order_and_another_draws_another() -> None:
    def order(seed: int) -> str:
        return "".join(seen(three_tasks, UniformDraw(Random(seed)))[0])

    orders = [order(seed) for seed in range(60)]
    assert orders == [order(seed) for seed in range(60)]
    assert len(set(orders)) == 6


class _Named:
    """As good as a task: what priorities are for."""


def test_priorities_stay_until_a_change_point() -> None:
    tasks: Any = [_Named() for _ in range(5)]
    draw = PriorityDraw(Random(3), 1)
    highest = draw(tasks, 0)
    assert {draw(tasks, 0) for _ in range(50)} == {highest}
    assert draw([tasks[highest], tasks[highest - 1]], 0) == 0
    changes = []
    for seed in range(40):
        draw = PriorityDraw(Random(seed), 3)
        chosen = [draw(tasks, 0) for _ in range(20_000)]
        changes.append(sum(a != b for a, b in pairwise(chosen)))
        assert chosen[-1] == draw(tasks, 0)
    assert max(changes) == 2, "depth - 1 points"
    assert sum(changes) > 70
    changes = []
    for seed in range(40):
        draw = PriorityDraw(Random(seed), 3, 20)
        chosen = [draw(tasks, 0) for _ in range(21)]
        changes.append(sum(a != b for a, b in pairwise(chosen)))
        assert draw.choices == 21
    assert sum(changes) > 60, "the points are within the length of the run"


@pytest.mark.parametrize("method", ["cancel", "set_name"])
def test_other_methods_of_a_task_are_callbacks(method: str) -> None:
    async def program(written: list[str]) -> None:
        async def step(name: str) -> None:
            written.append(name)

        loop = asyncio.get_running_loop()
        sleeper = start(step("sleeper"))
        loop.call_soon(getattr(sleeper, method), "x")
        start(step("later"))

    assert seen(program)[0] == ["sleeper", "later"]
