"""Calls on their way to a node and back: what arrives, and what is said when it cannot."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netsim.core.errors import CopyError
from netsim.site.calls import pack_call, run_call, unpack_outcome

pytestmark = pytest.mark.asyncio


class TwoPartError(Exception):
    """Pickle makes it, and cannot make it again: its argument is lost."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


class Unreadable:
    """Can be sent and never read."""

    def __reduce__(self) -> Any:
        return _refuse, ()


def _refuse() -> None:
    raise ValueError("not from here")


async def double(items: list[int], *, times: int = 2) -> list[int]:
    items.append(7)
    return items * times


async def fail() -> None:
    raise LookupError("no such book")


async def fail_in_two_parts() -> None:
    raise TwoPartError("half", "half")


async def leave() -> None:
    sys.exit(3)


async def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    raise asyncio.CancelledError


async def lock() -> Any:
    return threading.Lock()


async def unreadable() -> Any:
    return Unreadable()


async def take(_: Any) -> None: ...


def plain() -> int:
    return 1


async def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return unpack_outcome(await run_call(pack_call(function, args, kwargs)))


async def test_arguments_and_results_are_copies() -> None:
    mine = [1]
    assert await call(double, mine, times=1) == [1, 7]
    assert mine == [1]


async def test_partial_functions_and_methods_of_what_can_be_copied() -> None:
    assert await call(functools.partial(double, [], times=3)) == [7, 7, 7]


async def test_an_exception_is_itself_and_says_where_it_was_raised() -> None:
    with pytest.raises(LookupError, match="no such book") as caught:
        await call(fail)
    assert 'raise LookupError("no such book")' in str(caught.value.__cause__)


async def test_an_exception_that_cannot_be_copied() -> None:
    with pytest.raises(CopyError, match="TwoPartError: halfhalf; it cannot be copied") as caught:
        await call(fail_in_two_parts)
    assert "fail_in_two_parts" in str(caught.value.__cause__)


async def test_nobody_leaves_with_a_function_that_exits() -> None:
    with pytest.raises(RuntimeError, match=r"leave raised SystemExit\(3\)"):
        await call(leave)


async def test_a_function_that_cancels_itself() -> None:
    with pytest.raises(RuntimeError, match="was cancelled by itself"):
        await call(cancel_itself)


async def test_cancelling_from_outside() -> None:
    task = asyncio.create_task(run_call(pack_call(asyncio.sleep, (3600,), {})))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_cannot_be_copied_is_named() -> None:
    async def closure() -> None: ...

    for function in (closure, lambda: None):
        with pytest.raises(CopyError, match=r"<locals>.* cannot be found by another process"):
            await call(function)
    with pytest.raises(CopyError, match="argument cannot be copied"):
        await call(take, threading.Lock())
    with pytest.raises(CopyError, match=r"argument cannot be copied.*not from here"):
        await call(take, Unreadable())
    with pytest.raises(CopyError, match="result cannot be copied"):
        await call(lock)
    with pytest.raises(CopyError, match=r"result cannot be copied.*not from here"):
        await call(unreadable)


async def test_a_module_that_only_the_caller_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packed = pack_call(double, ([],), {})
    monkeypatch.delitem(sys.modules, __name__)
    # 3.15 looks there for extension modules as it shows a traceback, and fails where nothing is.
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(CopyError, match=r"test_calls:double cannot be imported by a node"):
        unpack_outcome(await run_call(packed))


async def test_a_plain_function() -> None:
    assert await call(plain) == plain()
