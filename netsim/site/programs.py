"""The programs of a computer: its services and its `run:`, looked up and started.

Whoever keeps the time calls this on the computer's own loop, and has made its environment and the
modules beside the topology file available before.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import traceback
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

from netsim.core.errors import NetsimError
from netsim.interception.computers_signals import KilledBySignal
from netsim.site.messages import READY_TIMEOUT
from netsim.site.users_lines import lines_of, users_line
from netsim.stack.ip_layer import LOOPBACK_NETWORK
from netsim.topology.plan import NodePlan, ProgramPlan, ServicePlan
from netsim.wire.address import IpAddress, format_ip

_FRAMEWORKS: Final = {
    "django": "Django",
    "fastapi": "FastAPI",
    "flask": "Flask",
    "litestar": "Litestar",
    "quart": "Quart",
    "starlette": "Starlette",
}
_TRACEBACK: Final = 20
"""Lines, the last, of an exception that has ended a program."""
_LOOK_AGAIN: Final = 0.005
"""Seconds between looks at whether a port is listened at."""
_FACTORY: Final = 20.0
"""Seconds that a coroutine function has to make an application."""
_LOOKS_AT_LOOPBACK: Final = 20
"""At a port that is listened at on 127.0.0.0/8 only, before that is a mistake."""
SHUTDOWN: Final = 0.5
"""Seconds that a server's open connections get to finish when the network stops."""

_log = logging.getLogger("netsim.programs")


class ProgramError(NetsimError):
    """A `module:attr` of the topology file cannot be used; the text says why."""


def look_up(reference: str) -> Any:
    """The object that `"module:attr"` names; ProgramError when it cannot be had."""
    module_name, _, attribute = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise ProgramError(f"{reference}: module {module_name} has no {attribute!r}") from None
    except (Exception, SystemExit) as error:
        raise ProgramError(_raised(reference, error)) from error
    return found


def _raised(reference: str, error: BaseException) -> str:
    """What a user's code raised, and the line of theirs at which it did."""
    line = users_line(lines_of(reversed(list(traceback.walk_tb(error.__traceback__)))))
    place = f" ({line})" if line else ""
    return f"{reference}: {type(error).__name__}: {error}{place}"


def other_application(found: Any) -> str | None:
    """What to do with an application that aiohttp does not serve; None for anything else."""
    packages = (cls.__module__.partition(".")[0] for cls in type(found).__mro__)
    whose = next((_FRAMEWORKS[each] for each in packages if each in _FRAMEWORKS), None)
    what = "an ASGI application" if whose is None else f"an application of {whose}"
    if whose is None and not _is_asgi(found):
        return None
    return f"{what}, not of aiohttp; serve it with uvicorn from a `run:`, as docs/services.md shows"


def _is_asgi(found: Any) -> bool:
    """Whether it is called as ASGI 3 has it."""
    if not callable(found) or inspect.isclass(found):
        return False
    try:
        return list(inspect.signature(found).parameters)[:3] == ["scope", "receive", "send"]
    except (TypeError, ValueError):  # some that are written in C tell nothing
        return False


def start_failure(error: Exception) -> str:
    """Why a node does not come up, for a person to read."""
    if isinstance(error, NetsimError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def exit_code(error: SystemExit) -> int:
    """With which a program ends its computer, as `os.waitstatus_to_exitcode` has it."""
    if isinstance(error, KilledBySignal):
        return error.code
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    return 1


def exit_words(error: SystemExit) -> str:
    """What the interpreter prints to standard error as it ends; empty for an exit code."""
    return "" if error.code is None or isinstance(error.code, int) else str(error.code)


def _is_loopback(address: IpAddress | None) -> bool:
    return address is not None and address[0] == LOOPBACK_NETWORK


class Programs:
    """What runs on one computer."""

    def __init__(
        self, plan: NodePlan, on_failed: Callable[[str], None] = lambda text: None
    ) -> None:
        self._plan = plan
        self._on_failed = on_failed
        self._ended: dict[str, str | None] = {}
        """Programs under `run` that have ended, and of what, if not in order."""
        self._tracebacks: dict[str, list[str]] = {}
        """The last lines of those that have ended with an exception."""
        self._runners: list[web.AppRunner] = []
        self._tasks: list[asyncio.Task[Any]] = []

    def lose_power(self) -> None:
        """They run no more: nothing is told of them, and who was told need not be held."""
        self._on_failed = lambda text: None

    async def start_services(self) -> None:
        """Have every service listen; ProgramError names the one that cannot."""
        for service in self._plan.services:
            app = await self._application(service)
            runner = web.AppRunner(
                app, handle_signals=False, access_log=None, shutdown_timeout=SHUTDOWN
            )
            self._runners.append(runner)
            try:
                await runner.setup()
                site = web.TCPSite(runner, "0.0.0.0", service.port)
                await site.start()
            except OSError as error:
                raise ProgramError(f"port {service.port}: {error.strerror or error}") from error

    async def start_run(self, listened_at: Callable[[int], list[IpAddress | None]]) -> None:
        """Start `run:`, once the whole network is up; return when it serves, as `ready` has it.

        Without `ready` every program has taken its first step then. `listened_at` is asked at which
        addresses a TCP port is listened at, None for all. ProgramError when `ready` does not come
        true.
        """
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(program)) for program in self._plan.run]
        ready = self._plan.ready
        try:
            async with asyncio.timeout(READY_TIMEOUT):
                if isinstance(ready, str):
                    await look_up(ready)()
                elif ready is not None:
                    await self._until_listened_at(ready, listened_at)
                elif self._tasks:
                    await asyncio.sleep(0)
        except TimeoutError:
            raise ProgramError(
                f"`ready: {ready}` did not come true within {READY_TIMEOUT:g} s{self._why()}"
            ) from None
        except ProgramError:
            raise
        except Exception as error:
            raise ProgramError(f"`ready: {ready}`: {type(error).__name__}: {error}") from error

    async def _until_listened_at(
        self, port: int, listened_at: Callable[[int], list[IpAddress | None]]
    ) -> None:
        """Until others can connect; who serves this computer alone gets time to do more."""
        looks = 0
        while all(map(_is_loopback, addresses := listened_at(port))):
            if addresses and looks == _LOOKS_AT_LOOPBACK:
                where = ", ".join(format_ip(address) for address in addresses if address)
                raise ProgramError(
                    f"what serves port {port} listens on {where} only; other computers cannot "
                    "reach it; bind to 0.0.0.0"
                )
            if not addresses and self._tasks and all(task.done() for task in self._tasks):
                raise ProgramError(f"nothing listens at port {port}{self._why()}")
            looks += bool(addresses)
            await asyncio.sleep(_LOOK_AGAIN)

    def states(self) -> list[dict[str, Any]]:
        """For `inspect`: `{call, state, failure, traceback}`; it runs, or has ended or failed."""
        return [
            {
                "call": program.call,
                "state": "running"
                if program.call not in self._ended
                else "ended"
                if self._ended[program.call] is None
                else "failed",
                "failure": self._ended.get(program.call),
                "traceback": self._tracebacks.get(program.call, []),
            }
            for program in self._plan.run
        ]

    def _why(self) -> str:
        failures = [f"{call}: {failure}" for call, failure in self._ended.items() if failure]
        return f"; {'; '.join(failures)}" if failures else ""

    async def stop(self) -> None:
        """Let the programs shut down."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for runner in reversed(self._runners):
            await runner.cleanup()

    async def _application(self, service: ServicePlan) -> web.Application:
        if service.files is not None:
            from netsim.services.files import create_app

            return create_app(service.files)
        assert service.app is not None, "a checked service has an application or a folder"
        found = look_up(service.app)
        try:
            if not isinstance(found, web.Application):
                found = found(**service.args)
                if inspect.isawaitable(found):
                    async with asyncio.timeout(_FACTORY):
                        found = await found
        except TimeoutError:
            raise ProgramError(
                f"{service.app} made no application within {_FACTORY:g} s; what serves by itself "
                "goes under `run`"
            ) from None
        except Exception as error:
            raise ProgramError(_raised(service.app, error)) from error
        if not isinstance(found, web.Application):
            what = other_application(found)
            what = what or f"{type(found).__name__}, not an aiohttp.web.Application"
            raise ProgramError(f"{service.app} gave {what}")
        return found

    async def _run(self, program: ProgramPlan) -> None:
        try:
            given = await look_up(program.call)(**program.args)
        except Exception as error:  # noqa: BLE001  # whatever it raises belongs in the log
            _log.exception("run: %s ended with an exception", program.call)
            theirs = None if error.__traceback__ is None else error.__traceback__.tb_next
            lines = "".join(traceback.format_exception(type(error), error, theirs)).splitlines()
            self._tracebacks[program.call] = lines[-_TRACEBACK:]
            failure = f"{type(error).__name__}: {error}"
            self._failed(program, failure, f"has ended with {failure}")
            return
        application = other_application(given)
        if application is None:
            self._ended[program.call] = None
        else:
            _log.error("run: %s gave %s", program.call, application)
            self._failed(program, application, f"gave {application}")

    def _failed(self, program: ProgramPlan, failure: str, what: str) -> None:
        self._ended[program.call] = failure
        self._on_failed(f"run: {program.call} {what}")
