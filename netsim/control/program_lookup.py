"""The throwaway process of `preflight`: imports what is named and looks at how it is called."""

from __future__ import annotations

import inspect
import json
import os
import sys
from typing import Any, NamedTuple

_FRAMEWORKS = {
    "django": "Django",
    "fastapi": "FastAPI",
    "flask": "Flask",
    "litestar": "Litestar",
    "quart": "Quart",
    "starlette": "Starlette",
}
_HINT = "write `module:attr` of something that can be imported"


class Wanted(NamedTuple):
    """A program that a file names."""

    reference: str
    role: str
    """`app` (an application or its factory) or `run`."""
    args: tuple[str, ...]
    """Names of the arguments that it is given."""


def main() -> None:
    """Argument: the folder of the topology file. Each `Wanted` of the JSON list on stdin gets a
    line on stdout: what is wrong with it, in JSON."""
    sys.path.insert(0, sys.argv[1])
    places = json.load(sys.stdin)
    # What the modules print is not an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for reference, role, args in places:
        print(json.dumps(_mistake(Wanted(reference, role, tuple(args)))), file=answers)


def _mistake(wanted: Wanted) -> str | None:
    """What is wrong, and what to write instead."""
    from netsim.site.programs import ProgramError, look_up  # aiohttp, which preflight needs not

    try:
        found = look_up(wanted.reference)
    except ProgramError as error:
        return f"{error}; {_hint(wanted.reference, error.__cause__)}"
    return _run_mistake(found, wanted) if wanted.role == "run" else _app_mistake(found, wanted)


def _hint(reference: str, cause: BaseException | None) -> str:
    if reference.startswith("netsim."):
        return "of netsim's own there is `netsim.services.httpbin:create_app`; write that"
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        file = cause.name.replace(".", "/") + ".py"
        return f"put {file} beside the file, or install it into netsim's environment"
    return _HINT


def _run_mistake(found: Any, wanted: Wanted) -> str | None:
    # A decorator's wrapper may be a plain function that returns the coroutine.
    if callable(found):
        called = inspect.unwrap(found)
        if inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(called.__call__):
            return _args_mistake(found, wanted)
    return f"{wanted.reference} is no coroutine function; write `async def`"


def _app_mistake(found: Any, wanted: Wanted) -> str | None:
    from aiohttp import web

    if isinstance(found, web.Application):
        return None
    if (framework := _framework(found)) is not None:
        return (
            f"{wanted.reference} is an application of {framework}, not of aiohttp; serve it with "
            "uvicorn from a `run:`, as docs/services.md shows"
        )
    if not callable(found):
        kind = type(found).__name__
        return (
            f"{wanted.reference} is of type {kind}; write an aiohttp.web.Application, or a "
            "function that makes one"
        )
    return _args_mistake(found, wanted)


def _framework(found: Any) -> str | None:
    """Whose application it is, where that is another than aiohttp's."""
    packages = (cls.__module__.partition(".")[0] for cls in type(found).__mro__)
    return next((_FRAMEWORKS[each] for each in packages if each in _FRAMEWORKS), None)


def _args_mistake(found: Any, wanted: Wanted) -> str | None:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # some that are written in C tell nothing
        return None
    try:
        signature.bind(**dict.fromkeys(wanted.args))
    except TypeError as error:
        bare = signature.replace(
            parameters=[
                each.replace(annotation=each.empty) for each in signature.parameters.values()
            ],
            return_annotation=signature.empty,
        )
        name = wanted.reference.rpartition(":")[2]
        return f"{wanted.reference}: {error}; write `args` that fit `{name}{bare}`"
    return None


if __name__ == "__main__":
    main()
