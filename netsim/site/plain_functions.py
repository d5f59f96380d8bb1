"""Plain functions on computers: each runs in a thread of its own, where it may block.

So `requests`, drivers of databases and `while True: sock.accept()` do what they do on a machine,
while the computer's event loop goes on. What is waited for is the same as of a coroutine function.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def is_coroutine_function(function: Any) -> bool:
    """Whether it runs on the event loop; a decorator's wrapper does where what it wraps does."""
    called = inspect.unwrap(function)
    return inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(
        type(called).__call__  # of an object; to call its class makes one
    )


async def run_function(
    name: str,
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] = {},
) -> Any:
    """What a function gives: on the event loop, or in a thread that is called `name`.

    Who is cancelled waits for a thread no longer; the thread goes on. What a plain function gives
    to be awaited, is.
    """
    if is_coroutine_function(function):
        return await function(*args, **kwargs)
    given = await _in_a_thread(name, lambda: function(*args, **kwargs))
    return await given if inspect.isawaitable(given) else given


async def _in_a_thread(name: str, function: Callable[[], Any]) -> Any:
    """Of a daemon: neither the end of a program nor that of the interpreter waits for it."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            tell, what = outcome.set_result, context.run(function)
        except StopIteration as error:
            # As of a coroutine; a future takes none.
            tell, what = outcome.set_exception, RuntimeError("the function raised StopIteration")
            what.__cause__ = error
        except BaseException as error:  # noqa: BLE001  # SystemExit ends the computer from the loop
            tell, what = outcome.set_exception, error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(lambda: outcome.done() or tell(what))

    threading.Thread(target=run, name=name, daemon=True).start()
    return await outcome
