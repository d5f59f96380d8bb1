"""A computer or router that is up in virtual time: its loop, and what runs on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from netsim.core.time import SECOND
from netsim.site.end_of_programs import cancellations_unlogged, close_logs
from netsim.site.programs import Programs
from netsim.virtual.computer_loop import ComputerLoop
from netsim.virtual.left_threads import left_as_they_stood

Result = TypeVar("Result")

_LEAST_GRACE: Final = 0.01
"""Seconds; time has to go on for programs to end."""


class VirtualComputer:
    """Runs programs on a loop; called from the director."""

    def __init__(self, loop: ComputerLoop, programs: Programs) -> None:
        self.loop = loop
        self._programs = programs
        self._awaited: dict[asyncio.Future[Any], Callable[[], object]] = {}
        """What the director waits for, and how to have a program tell it nothing."""

    def spawn(self, program: Coroutine[Any, Any, Result]) -> asyncio.Future[Result]:
        """Run a coroutine on the computer; its outcome, for the director.

        Cancelling that cancels the program; ConnectionError when the computer goes down.
        """
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        if self.loop.is_over:
            program.close()
            outcome.set_exception(ConnectionError(f"{self.loop.name} is not running"))
            return outcome
        task = self.loop.create_task(program)

        def ended(task: asyncio.Task[Result]) -> None:
            self._awaited.pop(outcome, None)
            if outcome.done():
                if not task.cancelled():
                    task.exception()  # nobody is interested any more
            elif task.cancelled():
                outcome.cancel()
            elif (error := task.exception()) is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(task.result())

        task.add_done_callback(ended)
        self._awaited[outcome] = lambda: task.remove_done_callback(ended)
        outcome.add_done_callback(lambda outcome: outcome.cancelled() and task.cancel())
        return outcome

    async def start_services(self) -> None:
        """Have every service listen; errors as of `Programs`."""
        await self.spawn(self._programs.start_services())

    async def start_run(self) -> None:
        """Start `run:`; errors and end as of `Programs`."""
        await self.spawn(self._programs.start_run(self.loop.host.tcp.listened_at))

    async def stop(self, grace: float) -> None:
        """Let programs shut down, cancel what is left, end the loop: `grace` seconds for each."""
        with cancellations_unlogged(self.loop):
            await self._stop(max(grace, _LEAST_GRACE))

    async def _stop(self, grace: float) -> None:
        loop = self.loop
        try:
            async with asyncio.timeout(grace):
                await self.spawn(self._programs.stop())
        except Exception as error:  # noqa: BLE001  # whatever a program's end raises is reported
            loop.call_exception_handler(
                {"message": "a program did not shut down", "exception": error}
            )
        deadline = loop.timeline.now + int(grace * SECOND)
        told: set[asyncio.Task[Any]] = set()
        while not loop.is_over and (tasks := loop.unfinished_tasks()):
            for task in tasks:
                if task not in told:
                    loop.call_soon(task.cancel)
            told.update(tasks)
            if loop.timeline.now > deadline:
                break
            await asyncio.sleep(grace / 100)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(grace):
                await self.spawn(loop.shutdown_asyncgens())
        await self._stop_threads(grace)
        if loop.is_over:  # it has crashed meanwhile
            return
        if (own := loop.environment.logging) is not None and own.made():
            with contextlib.suppress(ConnectionError):
                await self.spawn(_close_logs())
        stuck = loop.unfinished_tasks() or loop.strands.alive
        self._end(f"{loop.name} has ended", hold=bool(stuck))
        if not stuck:
            loop.close()

    async def _stop_threads(self, grace: float) -> None:
        """As at the end of an interpreter: workers of executors end when their work has."""
        loop = self.loop
        if loop.is_over:
            return
        deadline = loop.timeline.now + int(grace * SECOND)
        loop.call_soon(loop.strands.dismiss)
        while not loop.is_over and loop.strands.awaited():
            if loop.timeline.now > deadline:
                break
            await asyncio.sleep(grace / 100)
        for strand in [] if loop.is_over else loop.strands.awaited():
            loop.call_exception_handler(
                {"message": f"{strand.title()} has not ended: it waits {strand.where()}"}
            )

    def crash(self) -> None:
        """No program runs on, and none is told."""
        if not self.loop.is_over:
            self._end(f"{self.loop.name} has crashed", hold=True)

    def _end(self, why: str, *, hold: bool) -> None:
        loop, timeline = self.loop, self.loop.timeline
        if loop.environment.directory is not None:
            loop.environment.directory.close()
        if hold:
            self._programs.lose_power()
            left_as_they_stood.append(loop.lose_power())
        timeline.leave(loop, thoroughly=hold)
        loop.is_over = True
        for outcome, forget in list(self._awaited.items()):
            if hold:
                forget()  # the program stays, and with it whatever it would tell
            if not outcome.done():
                outcome.set_exception(ConnectionError(why))
        self._awaited.clear()


async def _close_logs() -> None:
    close_logs()
