"""Tasks and futures are numbered by their loop, whoever makes them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from netsim.interception.task_order import StableTask, StableTaskClass, install_stable_order


class NamedLoop(asyncio.SelectorEventLoop):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def loop_named(name: str) -> NamedLoop:
    loop = NamedLoop(name)
    install_stable_order(loop)
    return loop


@pytest.fixture
def loop() -> Iterator[NamedLoop]:
    loop = loop_named("alice")
    yield loop
    loop.close()


@pytest.fixture
def task_class() -> Iterator[None]:
    replacement = StableTaskClass()
    replacement.install()
    yield
    replacement.uninstall()


async def nothing() -> None:
    pass


async def hashes(count: int) -> list[int]:
    loop = asyncio.get_running_loop()
    made: list[asyncio.Future[Any]] = []
    for _ in range(count):
        made.append(asyncio.create_task(nothing()))
        made.append(loop.create_future())
    found = [hash(each) for each in made]
    assert sorted(made, key=hash) == made
    assert len(set(made)) == 2 * count
    await asyncio.gather(*made[::2])
    return found


def test_hashes_are_the_order_of_creation(loop: NamedLoop) -> None:
    found = loop.run_until_complete(hashes(10))
    assert found == sorted(found)
    again = loop_named("alice")
    assert again.run_until_complete(hashes(10)) == found
    again.close()
    other = loop_named("bob")
    assert not set(other.run_until_complete(hashes(10))) & set(found)
    other.close()


def test_sets_iterate_in_the_order_of_creation(loop: NamedLoop) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(nothing()) for _ in range(100)]
        assert [task for task in tasks if task in set(tasks)] == tasks
        indices = [tasks.index(task) for task in set(tasks)]
        again = [asyncio.create_task(nothing()) for _ in range(100)]
        assert len(indices) == 100
        assert asyncio.all_tasks() >= {*tasks, *again}
        done, pending = await asyncio.wait({*tasks, *again})
        assert (len(done), len(pending)) == (200, 0)

    loop.run_until_complete(main())


def test_names_count_from_one_in_each_loop(loop: NamedLoop) -> None:
    async def main() -> list[str]:
        this = asyncio.current_task()
        assert this is not None
        one = asyncio.create_task(nothing())
        named = asyncio.create_task(nothing(), name="poller")
        await asyncio.gather(one, named)
        return [this.get_name(), one.get_name(), named.get_name()]

    assert loop.run_until_complete(main()) == ["Task-1", "Task-2", "poller"]
    other = loop_named("bob")
    assert other.run_until_complete(main()) == ["Task-1", "Task-2", "poller"]
    other.close()


def test_tasks_are_tasks(loop: NamedLoop) -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    async def main() -> None:
        task = asyncio.create_task(answer())
        assert isinstance(task, asyncio.Task)
        assert await task == 42
        async with asyncio.TaskGroup() as group:
            grouped = group.create_task(answer(), name="grouped")
        assert grouped.result() == 42
        cancelled = asyncio.create_task(asyncio.sleep(60))
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        future = asyncio.get_running_loop().create_future()
        future.set_result(1)
        assert await future == 1
        assert asyncio.isfuture(future)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0.001)

    loop.run_until_complete(main())


@pytest.mark.usefixtures("task_class")
def test_tasks_that_are_made_directly_are_numbered(loop: NamedLoop) -> None:
    async def main() -> None:
        this = loop.get_task_factory()
        direct: asyncio.Task[None] = asyncio.Task(nothing())
        given: asyncio.Task[None] = asyncio.Task(nothing(), loop=loop, name="x")
        made = asyncio.create_task(nothing())
        assert hash(direct) < hash(given) < hash(made)
        assert [task.get_name() for task in (direct, given, made)] == ["Task-2", "x", "Task-3"]
        assert this is loop.get_task_factory()
        await asyncio.gather(direct, given, made)

    loop.run_until_complete(main())


def test_other_loops_keep_their_tasks(loop: NamedLoop) -> None:
    plain_class = asyncio.Task

    async def main() -> None:
        before = plain_class(nothing())
        replacement = StableTaskClass()
        replacement.install()
        try:
            during: asyncio.Task[None] = asyncio.Task(nothing())
            created = asyncio.create_task(nothing())
            for task in (before, during, created):
                assert isinstance(task, asyncio.Task)
                assert isinstance(task, plain_class)
                assert task.get_name().startswith("Task-")
            assert not isinstance(asyncio.get_running_loop().create_future(), asyncio.Task)
            assert issubclass(plain_class, asyncio.Task)
            assert len({before, during, created}) == 3
        finally:
            replacement.uninstall()
        await asyncio.gather(before, during, created)

    asyncio.run(main())
    assert asyncio.Task is asyncio.tasks.Task is plain_class


def test_subclasses_have_instances_of_their_own() -> None:
    class Own(StableTask):
        pass

    async def main() -> None:
        task = asyncio.create_task(nothing())
        own = Own(nothing())
        assert not isinstance(task, Own)
        assert isinstance(own, Own)
        assert isinstance(own, StableTask)
        await asyncio.gather(task, own)

    asyncio.run(main())


def test_a_programs_own_factory_is_used(loop: NamedLoop) -> None:
    made: list[Any] = []

    def factory(loop: Any, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        made.append(coro)
        return StableTask(coro, loop=loop, **kwargs)

    async def main() -> None:
        loop.set_task_factory(factory)
        await asyncio.create_task(nothing(), name="own")
        assert len(made) == 1

    loop.run_until_complete(main())
