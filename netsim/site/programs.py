"""The programs of a computer: its services and its `run:`, looked up and started.

Whoever keeps the time calls this on the computer's own loop, and has made its environment and the
modules beside the topology file available before.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from typing import Any, Final

from netsim.aio.loop import HostLoopMixin
from netsim.core.errors import NetsimError
from netsim.gateway.upstream import Upstream
from netsim.interception.computers_signals import KilledBySignal
from netsim.site import plain_functions
from netsim.site.applications import (
    ProgramError,
    application_of,
    application_words,
    interface_of,
    look_up,
)
from netsim.site.messages import READY_TIMEOUT
from netsim.site.servers import Server, preload, server_of
from netsim.stack.ip_layer import LOOPBACK_NETWORK
from netsim.topology.plan import NodePlan, ProgramPlan, ServicePlan
from netsim.wire.address import IpAddress, format_ip

_TRACEBACK: Final = 20
"""Lines, the last, of an exception that has ended a program."""
_CALLERS: Final = (__file__, plain_functions.__file__)
"""Files that stand between a program and who runs it."""
_LOOK_AGAIN: Final = 0.005
"""Seconds between looks at whether a port is listened at."""
_LOOKS_AT_LOOPBACK: Final = 20
"""At a port that is listened at on 127.0.0.0/8 only, before that is a mistake."""

_log = logging.getLogger("netsim.programs")


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
        self._servers: list[Server] = []
        self._upstreams: list[Upstream] = []
        self._tasks: list[asyncio.Task[Any]] = []
        preload(plan)  # and not while a computer runs, whose files and randomness are its own

    def lose_power(self) -> None:
        """They run no more: nothing is told of them, and who was told need not be held."""
        self._on_failed = lambda text: None

    def kill(self) -> None:
        """They run no more, though the machine lives: what is open outside is reset."""
        for upstream in self._upstreams:
            upstream.kill()

    async def start_services(self) -> None:
        """Have every service listen; ProgramError names the one that cannot."""
        for service in self._plan.services:
            server = await self._server(service)
            self._servers.append(server)
            try:
                await server.start()
            except OSError as error:
                raise ProgramError(f"port {service.port}: {error.strerror or error}") from error

    async def _server(self, service: ServicePlan) -> Server:
        if service.upstream is not None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, HostLoopMixin), "services run on computers"
            self._upstreams.append(Upstream(loop, service.port, service.upstream))
            return self._upstreams[-1]
        if service.files is not None:
            from netsim.services.files import create_app

            return server_of(service, "aiohttp", create_app(service.files))
        return server_of(service, *await application_of(service))

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
                    await plain_functions.run_function(ready, look_up(ready))
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
                "state": self._state(program.call),
                "failure": self._ended.get(program.call),
                "traceback": self._tracebacks.get(program.call, []),
            }
            for program in self._plan.run
        ]

    def _state(self, call: str) -> str:
        if call not in self._ended:
            return "running"
        return "ended" if self._ended[call] is None else "failed"

    def upstreams(self) -> list[dict[str, Any]]:
        """For `inspect`: ports that real servers answer on, and what was carried."""
        return [upstream.facts() for upstream in self._upstreams]

    def _why(self) -> str:
        failures = [f"{call}: {failure}" for call, failure in self._ended.items() if failure]
        return f"; {'; '.join(failures)}" if failures else ""

    async def stop(self) -> None:
        """Let the programs shut down."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        servers, self._servers = self._servers, []
        # Each waits for its own connections.
        ends = await asyncio.gather(*(each.stop() for each in servers), return_exceptions=True)
        if failures := [each for each in ends if isinstance(each, Exception)]:
            raise failures[0]

    async def _run(self, program: ProgramPlan) -> None:
        try:
            function = look_up(program.call)
            given = await plain_functions.run_function(program.call, function, kwargs=program.args)
        except Exception as error:  # noqa: BLE001  # whatever it raises belongs in the log
            theirs = error.__traceback__
            while theirs is not None and theirs.tb_frame.f_code.co_filename in _CALLERS:
                theirs = theirs.tb_next
            error.__traceback__ = theirs
            _log.error("run: %s ended with an exception", program.call, exc_info=error)
            lines = "".join(traceback.format_exception(error)).splitlines()
            self._tracebacks[program.call] = lines[-_TRACEBACK:]
            failure = f"{type(error).__name__}: {error}"
            self._failed(program, failure, f"has ended with {failure}")
            return
        if interface_of(given) in (None, "aiohttp"):
            self._ended[program.call] = None
            return
        gave = f"{application_words(given)}; serve it under `services`, as docs/services.md shows"
        _log.error("run: %s gave %s", program.call, gave)
        self._failed(program, gave, f"gave {gave}")

    def _failed(self, program: ProgramPlan, failure: str, what: str) -> None:
        self._ended[program.call] = failure
        self._on_failed(f"run: {program.call} {what}")
