"""The throwaway process of `preflight`: imports what is named and looks at how it is called."""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import sys
import threading
import traceback
from typing import Any, NamedTuple, TextIO

from netsim.site.users_lines import lines_of, users_line

_HINT = "write `module:attr` of something that can be imported"
_SERVE_IT = "serve it under `services`, as docs/services.md shows"

TOO_LATE = 124
"""Exit code: the last answer is about an import that took too long."""


class Wanted(NamedTuple):
    """A program that a file names."""

    reference: str
    role: str
    """`app`, `asgi` or `wsgi` (an application or its factory), or `run`."""
    args: tuple[str, ...]
    """Names of the arguments that it is given."""


def main() -> None:
    """Arguments: the folder of the topology file, and the seconds that there are. Each `Wanted` of
    the JSON list on stdin gets a line on stdout: what is wrong with it, in JSON. Of what may end
    this process all answers before it are out."""
    sys.path.insert(0, sys.argv[1])
    asked = json.load(sys.stdin)
    # What the modules print is not an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    watch: _Watch | None = None
    for reference, role, args in asked:
        wanted = Wanted(reference, role, tuple(args))
        mistake = _missing(wanted)
        if mistake is None:
            answers.flush()
            if watch is None:
                # Its import takes none of the users' time.
                import netsim.site.applications  # noqa: F401

                watch = _Watch(float(sys.argv[2]), answers)
            watch.wanted = wanted
            mistake = _mistake(wanted)
        print(json.dumps(mistake), file=answers)
    if watch is not None:
        watch.stop()
    answers.flush()


class _Watch:
    """Answers with the line at which an import stands when there is no more time, and ends it."""

    def __init__(self, seconds: float, answers: TextIO) -> None:
        self.wanted: Wanted | None = None
        self._seconds = seconds
        self._answers = answers
        self._importing = threading.get_ident()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Everything has been imported."""
        self._timer.cancel()

    def _end(self) -> None:
        if self.wanted is not None:
            stack = traceback.walk_stack(sys._current_frames()[self._importing])
            line = users_line(lines_of(stack))
            where = f": it stands at {line}" if line else ""
            late = (
                f"{self.wanted.reference} was not imported within {self._seconds:g} s{where}; let "
                "a module come to its end, and serve in the function that the file names"
            )
            print(json.dumps(late), file=self._answers, flush=True)
        os._exit(TOO_LATE)


def _missing(wanted: Wanted) -> str | None:
    """What is wrong where there is no such module, without the cost of importing it."""
    name = wanted.reference.partition(":")[0].partition(".")[0]
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        return None
    error = ModuleNotFoundError(f"No module named {name!r}", name=name)
    reason = f"{wanted.reference}: {type(error).__name__}: {error}"
    return f"{reason}; {_hint(wanted.reference, error)}"


def _mistake(wanted: Wanted) -> str | None:
    """What is wrong, and what to write instead."""
    # It imports aiohttp, which preflight needs not.
    from netsim.site.applications import ProgramError, look_up

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
    near = _nearest(reference) if cause is None else None
    return f"write `{near}`" if near else _HINT


def _nearest(reference: str) -> str | None:
    """What was perhaps meant, where a module was imported and has no such name."""
    from netsim.topology.naming import nearest

    module, _, attribute = reference.partition(":")
    names = [name for name in vars(sys.modules[module]) if not name.startswith("_")]
    near = nearest(attribute, names)
    return near and f"{module}:{near}"


def _run_mistake(found: Any, wanted: Wanted) -> str | None:
    from netsim.site.applications import application_words, interface_of

    if interface_of(found) is not None:
        what = application_words(found)
        return f"{wanted.reference} is {what}; {_SERVE_IT}"
    if callable(found):
        return _args_mistake(found, wanted)
    return f"{wanted.reference} is no function; write `def` or `async def`"


def _app_mistake(found: Any, wanted: Wanted) -> str | None:
    from netsim.site.applications import is_factory, named_mistake
    from netsim.topology.plan import ServicePlan

    says: dict[str, Any] = {wanted.role: wanted.reference}
    service = ServicePlan(0, args=dict.fromkeys(wanted.args), **says)
    if is_factory(found, service) and (mistake := _args_mistake(found, wanted)) is not None:
        return mistake
    mistake = named_mistake(found, service)
    return mistake and f"{wanted.reference} is {mistake}"


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
