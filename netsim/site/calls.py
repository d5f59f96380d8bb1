"""Calls of functions on computers: what goes in and comes out is copied, in both times.

In virtual time the function itself is called. To another process it goes by reference, as pickle
has it: the node imports the module that it is in.
"""

from __future__ import annotations

import asyncio
import pickle
import traceback
from collections.abc import Callable
from typing import Any

from netsim.core.errors import CopyError
from netsim.site.plain_functions import run_function


class RemoteTraceback(Exception):  # noqa: N818  # as in concurrent.futures
    """The cause of an exception that came from a node: where it was raised there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


def pack(what: str, value: Any) -> bytes:
    """A copy on its way; CopyError says that `what` cannot be copied."""
    try:
        return pickle.dumps(value, 5)
    except Exception as error:
        raise CopyError(
            f"{what} cannot be copied ({error}); pass what pickle takes: numbers, text, "
            "containers, instances of importable classes"
        ) from error


def unpack(copy: bytes) -> Any:
    """The copy, arrived."""
    return pickle.loads(copy)  # noqa: S301  # only ever our own


def pack_call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """A call on its way; CopyError when it cannot go."""
    try:
        reference = pickle.dumps(function, 5)
    except Exception as error:
        raise CopyError(
            f"{name_of(function)} cannot be found by another process ({error}); pass a function "
            "from the top level of a module"
        ) from error
    return pickle.dumps((name_of(function), reference, pack("an argument", (args, kwargs))), 5)


async def run_call(call: bytes) -> bytes:
    """What a node does with it: the outcome on its way back.

    Cancelled from outside it is cancelled; all else, the caller hears.
    """
    name, reference, arguments = pickle.loads(call)  # noqa: S301  # only ever our own
    task = asyncio.current_task()
    try:
        function = _find(name, reference)
        args, kwargs = _arguments(arguments)
        return pack("the result", (True, await run_function(name, function, args, kwargs)))
    except asyncio.CancelledError:
        if task is not None and task.cancelling():
            raise
        return failure(RuntimeError(f"{name} was cancelled by itself"), traceback.format_exc())
    except (SystemExit, KeyboardInterrupt) as error:
        # Neither the node nor the caller is to end of it.
        return failure(RuntimeError(f"{name} raised {error!r}"), traceback.format_exc())
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the caller's
        return failure(error, traceback.format_exc())


def unpack_outcome(outcome: bytes) -> Any:
    """The result, or what was raised is raised."""
    try:
        succeeded, value = pickle.loads(outcome)  # noqa: S301  # only ever our own
    except Exception as error:
        raise CopyError(f"the result cannot be copied ({type(error).__name__}: {error})") from error
    if succeeded:
        return value
    raised, trace = value
    raised.__cause__ = RemoteTraceback(trace)
    raise raised


def _find(name: str, reference: bytes) -> Callable[..., Any]:
    try:
        function: Callable[..., Any] = pickle.loads(reference)  # noqa: S301
        return function
    except Exception as error:
        raise CopyError(
            f"{name} cannot be imported by a node process ({type(error).__name__}: {error}); move "
            "it to a module of its own, on `sys.path` or beside the topology file"
        ) from error


def _arguments(copy: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        args, kwargs = pickle.loads(copy)  # noqa: S301
        return args, kwargs
    except Exception as error:
        raise CopyError(
            f"an argument cannot be copied ({type(error).__name__}: {error})"
        ) from error


def failure(error: Exception, trace: str = "") -> bytes:
    """The outcome of a call that raised `error`."""
    try:
        copy = pickle.dumps((False, (error, trace)), 5)
        # Some come out of pickle only in part, or not at all.
        pickle.loads(copy)  # noqa: S301
        return copy
    except Exception:  # noqa: BLE001  # pickle runs code of the exception's class
        text = f"{type(error).__name__}: {error}; it cannot be copied itself"
        return pickle.dumps((False, (CopyError(text), trace)), 5)


def name_of(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", None) or type(function).__module__
    return f"{module}:{getattr(function, '__qualname__', type(function).__qualname__)}"
