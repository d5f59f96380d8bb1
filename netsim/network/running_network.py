"""A network that runs: its nodes start together and end together.

What a caller does with it besides stands in `Network`.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from netsim.core.errors import InvalidValueError, StartError, WrongTimeError
from netsim.core.time import Time
from netsim.network.certificate_files import CertificateFiles
from netsim.network.events import Event
from netsim.network.live_captures import HELD_BACK, LiveCaptures
from netsim.network.measuring import Recordings
from netsim.network.network_nodes import STOP_GRACE, NetworkNodes
from netsim.network.run_files import RunFiles
from netsim.observe.captured import CapturedBatch
from netsim.observe.measurement import Batch
from netsim.site.backend import Backend, Progress
from netsim.topology.plan import NetworkPlan

if TYPE_CHECKING:
    from netsim.realtime.launcher import Launcher, StartMethod

SLOWEST: Final = Fraction(1, 1000)
_ROUTES_OF_A_START: Final = 5.0
"""Seconds that routes have to follow what has ended at the start; some go and come for ever."""


def speed_of(written: float | str | Fraction) -> Fraction:
    """`0.1` or `"0.1"`, exactly; InvalidValueError where it is no speed."""
    try:
        speed = Fraction(str(written))
    except (ValueError, ZeroDivisionError):
        speed = Fraction(0)
    if not SLOWEST <= speed <= 1:
        raise InvalidValueError(
            f"a network runs at no speed of {str(written)[:20]!r}; write 0.001 to 1, "
            "for example 0.1 for a tenth"
        )
    return speed


class RunningNetwork(NetworkNodes):
    """The nodes of a plan, from their start to their end."""

    def __init__(
        self,
        plan: NetworkPlan,
        time: Time,
        start_method: StartMethod,
        launcher: Launcher | None,
        speed: float | str | Fraction = 1,
    ) -> None:
        self._exact_speed = speed_of(speed)
        super().__init__(plan, float(self._exact_speed))
        if time == "virtual" and self.speed != 1:
            raise ValueError("speed is of real time; in virtual time it has none, leave it out")
        self.time: Time = time
        self.certificates = CertificateFiles(plan, time)
        self._start_method = start_method
        self._launcher = launcher
        self.run_files = RunFiles(beside=time == "virtual")
        self.recordings = Recordings(
            self.unused, lambda: self._backend, self.failed, self.run_files
        )
        self.live_captures = LiveCaptures(
            plan, lambda: self._backend, HELD_BACK if time == "real" else 0
        )
        self._started_at = datetime.datetime.now(datetime.UTC)
        self._stopping: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Future[Any]] = set()

    async def start(self, on_progress: Progress | None = None) -> None:
        """Bring every node up, or none; routes go round those whose programs have ended them since.

        `on_progress(ready, total)` is called as nodes come up. StartError names the node that
        did not and the reason.
        """
        if self.state != "new":
            raise StartError("a Network starts once; make another for another start")
        try:
            self._started = self._new_backend()
        except BaseException:
            self.certificates.remove()
            raise
        self.state = "starting"
        try:
            await self._backend.start(on_progress)
        except StartError as error:
            with_log = self._with_log(error)
            await self.stop(grace=0)
            raise with_log from error.__cause__
        except BaseException:
            await self._end(grace=0)
            raise
        self._outages.network_started()
        self.state = "running"
        self.timing_watches.network_started()
        if self.time == "real":
            telling = self.timing_watches.tell(self._tell_of_timing)
            self._tasks.add(asyncio.create_task(telling))
        if self.time == "virtual" and any(node.ports for node in self.plan.nodes):
            self._publish("notice", "", "`ports` stay closed in virtual time")
        for node in list(self._ended_early):
            self._report_early_end(node)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ROUTES_OF_A_START / self.speed):
                await self.converged()

    async def stop(self, *, grace: float = STOP_GRACE) -> None:
        """Stop every node: programs may shut down for `grace` seconds, then they are ended.

        Nothing is left when it returns. Calling it again waits for the same end. NotAwaitedError,
        when all is gone, for faults that were neither awaited nor entered; it hides no other error.
        """
        await self._end(grace)
        if sys.exc_info()[0] is None:
            self.unused.check()

    async def _end(self, grace: float) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(grace))
        await asyncio.shield(self._stopping)

    def kill(self) -> None:
        """End everything now; `stop` still has to be awaited."""
        if self._started is not None:
            self._started.kill()

    def captured(self, capture: int, batch: CapturedBatch) -> None:
        self.live_captures.captured(capture, batch)

    def recorded(self, recording: int, batch: Batch) -> None:
        self.recordings.measured(recording, batch)

    def _tell_of_timing(self, text: str) -> None:
        """Of the machine, and not among what happened in the network."""
        self._announce(Event(self.now(), "timing", "", text))

    def _new_backend(self) -> Backend:
        if self.time == "virtual":
            from netsim.topology.places_in_file import check_time_can_jump
            from netsim.virtual.virtual_backend import VirtualBackend

            check_time_can_jump(self.plan)
            return VirtualBackend(self.certificates.make(), self)
        if hasattr(asyncio.get_running_loop(), "timeline"):
            raise WrongTimeError(
                'inside netsim.run(main()), and in tests in virtual time, write time="virtual"; '
                "a network in real time runs inside asyncio.run(main())"
            )
        from netsim.realtime.process_backend import ProcessBackend

        return ProcessBackend(
            self.certificates.make(), self, self._start_method, self._launcher, self._exact_speed
        )

    async def _stop(self, grace: float) -> None:
        self.state = "stopping"
        self._rerouting.end()
        await self._restarts.end()
        for task in self._tasks:
            task.cancel()
        await self.recordings.end()
        for node in sorted(self.paused):
            await self._resume_to_end(node)
        try:
            if self._started is not None:
                await self._started.stop(grace)
        finally:
            self.certificates.remove()
        self.live_captures.stop()
        self._outages.network_stopped()
        self.state = "stopped"
        self._events.close()
        self._logs.close()
