"""WeakSets and `as_completed` are in the order in which they were filled; all else is as ever."""

from __future__ import annotations

import asyncio
import operator
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from netsim.interception.set_order import SetOrder


class Thing:
    pass


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    replacement = SetOrder()
    replacement.install()
    yield
    replacement.uninstall()


def test_the_order_is_that_of_filling_and_the_dead_leave() -> None:
    things = [Thing() for _ in range(100)]
    filled: weakref.WeakSet[Thing] = weakref.WeakSet(reversed(things))
    filled.add(things[50])
    assert list(filled) == things[::-1]
    for each in filled:
        if each is things[10]:
            things.remove(each)  # while somebody looks
    del each
    assert list(filled) == things[::-1]
    assert len(filled) == 99
    filled.discard(things[0])
    filled.add(things[0])
    assert list(filled) == [*things[:0:-1], things[0]]
    assert list(filled.copy()) == list(filled)


@pytest.mark.parametrize("name", ["and_", "or_", "sub", "xor", "iand", "ior", "isub", "ixor"])
def test_operations_come_to_the_same_as_with_any_set(name: str) -> None:
    things = [Thing() for _ in range(10)]
    act: Any = getattr(operator, name)
    result = act(weakref.WeakSet(things[:6]), weakref.WeakSet(things[3:]))
    assert set(result) == act(set(things[:6]), set(things[3:]))


@pytest.mark.parametrize("name", ["lt", "le", "eq", "ne", "ge", "gt"])
def test_comparisons_too(name: str) -> None:
    things = [Thing() for _ in range(4)]
    act: Any = getattr(operator, name)
    for other in (things[:2], things[:3], things, things[1:]):
        found = act(weakref.WeakSet(things[:3]), weakref.WeakSet(other))
        assert found is act(set(things[:3]), set(other))


def test_as_completed_begins_in_the_order_given_and_wait_hands_out_sets() -> None:
    begun = []

    async def begin(number: int) -> None:
        begun.append(number)

    async def main() -> None:
        for each in asyncio.as_completed([begin(number) for number in range(200)]):
            await each
        done, pending = await asyncio.wait([asyncio.create_task(begin(200))])
        assert type(done) is type(pending) is set
        with pytest.raises(ValueError, match="empty"):
            await asyncio.wait([])

    asyncio.run(main())
    assert begun == list(range(201))


def test_set_is_pythons_own_again() -> None:
    SetOrder().uninstall()
    thing = Thing()
    assert type(vars(weakref.WeakSet([thing]))["data"]) is set
