"""The programs of a computer: its services and its `run:`, looked up and started.

Whoever keeps the time calls this on the computer's own loop, and has made its environment and the
modules beside the topology file available before.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from typing import Any, Final

from aiohttp import web

from netsim.core.errors import NetsimError
from netsim.topology.plan import NodePlan, ProgramPlan, ServicePlan

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
        raise ProgramError(f"{reference}: {type(error).__name__}: {error}") from error
    return found


def start_failure(error: Exception) -> str:
    """Why a node does not come up, for a person to read."""
    if isinstance(error, NetsimError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def exit_code(error: SystemExit) -> int:
    """With which a program ends its computer, as the interpreter has it."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    return 1


class Programs:
    """What runs on one computer."""

    def __init__(self, plan: NodePlan) -> None:
        self._plan = plan
        self._runners: list[web.AppRunner] = []
        self._tasks: list[asyncio.Task[Any]] = []

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

    def start_run(self) -> None:
        """Start `run:`, once the whole network is up."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run(program)) for program in self._plan.run]

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
                    found = await found
        except Exception as error:
            raise ProgramError(f"{service.app}: {type(error).__name__}: {error}") from error
        if not isinstance(found, web.Application):
            raise ProgramError(
                f"{service.app}: gave {type(found).__name__}, not an aiohttp.web.Application"
            )
        return found

    async def _run(self, program: ProgramPlan) -> None:
        try:
            await look_up(program.call)(**program.args)
        except Exception:  # noqa: BLE001  # whatever a user's program raises belongs in the log
            _log.exception("run: %s ended with an exception", program.call)
