"""Following the steps of a scenario on a running network."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from netsim.core.errors import NetsimError
from netsim.core.time import MILLISECOND, SECOND
from netsim.core.units import format_duration
from netsim.network.log_lines import LogLine, logged_errors
from netsim.observe.frame_log import FrameRecord
from netsim.scenario.check_words import CHECKS
from netsim.scenario.fault_steps import Faults, PlannedFault
from netsim.scenario.recording import Recording
from netsim.scenario.results import Role
from netsim.scenario.scenario_model import Scenario, Step
from netsim.scenario.step_checks import check
from netsim.scenario.step_packets import packets_around
from netsim.scenario.step_text import endpoint_text
from netsim.scenario.step_verdicts import Verdict
from netsim.scenario.tries import Tries, Try

if TYPE_CHECKING:
    from netsim.network.network import Network

_RETRY_NS: Final = 100 * MILLISECOND
"""From one try of an `eventually` to the next."""
_MEASURED_NS: Final = 10 * MILLISECOND
"""From one measurement of a `record` to the next."""
_LOG_LINES: Final = 200
"""That are kept for the report."""


class _DidNotHoldError(Exception):
    """A step did not hold, and the scenario does not go on; the recording knows why."""


class Runner:
    """Runs one scenario once. What happens goes to the recording, also when it is interrupted."""

    def __init__(
        self,
        scenario: Scenario,
        network: Network,
        recording: Recording,
        planned_faults: Sequence[PlannedFault] = (),
    ) -> None:
        self._scenario = scenario
        self._network = network
        self._recording = recording
        self._faults = Faults(network, recording)
        self._planned = tuple(sorted(planned_faults))
        self._role: Final[Role] = "load" if planned_faults else "step"
        self._invariant_broke = False
        self._errors_seen = 0

    async def run(self) -> None:
        """Do all steps. Returns when the scenario has held or failed."""
        first_in_force = asyncio.Event()
        planned = asyncio.create_task(self._faults.keep_to(self._planned, first_in_force))
        try:
            if self._planned:
                if any(fault.at_ns == 0 for fault in self._planned):
                    # The first step may take no network time: such a fault would come after it.
                    waiting = asyncio.create_task(first_in_force.wait())
                    await asyncio.wait({planned, waiting}, return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                await self._load(planned)
            else:
                await self._sequence(self._scenario.steps, 0)
        except _DidNotHoldError:
            pass
        finally:
            planned.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await planned
            self._look_into_logs()
            self._recording.network_ns = self._network.now()
            self._keep_logs()

    def _look_into_logs(self) -> None:
        """Whether programs have said what they are to say sometimes."""
        for index, step in enumerate(self._scenario.sometimes):
            if step.verb == "log" and any(
                line["node"] == step.words.node and step.words.text in line["text"]
                for line in self._network.logs()["lines"]
            ):
                self._recording.happened.add(index)

    async def _look_what_happens(self) -> None:
        """Check what is to be true sometimes and was not yet; what is not true breaks nothing."""
        happened = self._recording.happened
        for index, step in enumerate(self._scenario.sometimes):
            if step.verb != "log" and index not in happened:
                verdict = await check(step, self._network, self._scenario.folder)
                if verdict.held:
                    happened.add(index)

    def _keep_logs(self) -> None:
        """What programs have said, also during a step that did not hold or end."""
        self._recording.errors += self._network.errors[self._errors_seen :]
        self._errors_seen = len(self._network.errors)
        levels = logging.getLevelNamesMapping()
        self._recording.logs = [
            LogLine(
                line["time_ns"],
                line["node"],
                levels.get(line["level"].upper(), logging.INFO),
                line["text"],
                line["wall"],
            )
            for line in self._network.logs(last=_LOG_LINES)["lines"]
        ]

    async def _load(self, planned: asyncio.Task[None]) -> None:
        """Steps beside planned faults. At their end the network must be well again.

        A step may wait for ever for what a fault has taken away: the limit of network time ends
        the steps here, and not the scenario.
        """
        limit = self._scenario.time_limit_ns
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if limit is None else limit / SECOND):
                await self._sequence(self._scenario.steps, 0)
        await planned
        await self._after(self._scenario.steps[-1])

    # Steps

    async def _sequence(self, steps: Iterable[Step], depth: int) -> None:
        """One step after the other, with what is due after each."""
        for step in steps:
            await self._step(step, depth)
            await self._after(step)

    async def _step(self, step: Step, depth: int) -> None:
        try:
            if step.verb in CHECKS:
                await self._check(step, self._role, depth)
            else:
                await self._do(step, self._role, depth)
        except _DidNotHoldError:
            is_load = self._role == "load" and not self._invariant_broke
            if not (step.goes_on or is_load):
                raise

    async def _check(self, step: Step, role: Role, depth: int) -> None:
        opened = self._recording.begin(step, self._network.now(), role=role, depth=depth)
        try:
            verdict = await self._verdict(step)
        except asyncio.CancelledError:
            self._recording.cancel(opened)
            raise
        self._recording.sample(verdict.samples)
        now = self._network.now()
        expected, seen = _texts(verdict)
        if verdict.held:
            if role in ("step", "load"):
                self._recording.end(opened, now, held=True, expected=expected, seen=seen)
            else:
                self._recording.forget(opened)
            return
        self._invariant_broke |= role == "invariant"
        since = opened.result.started_ns
        frames = [] if role == "load" else await self._packets(step, since)
        self._recording.end(
            opened,
            now,
            held=False,
            expected=expected,
            seen=seen,
            frames=frames,
            trace=verdict.trace,
        )
        raise _DidNotHoldError

    async def _verdict(self, step: Step) -> Verdict:
        scenario = self._scenario
        traces = scenario.traces_requests
        return await check(step, self._network, scenario.folder, traces_requests=traces)

    async def _do(self, step: Step, role: Role, depth: int) -> None:
        """What is no check: it holds unless it cannot be done."""
        opened = self._recording.begin(step, self._network.now(), role=role, depth=depth)
        try:
            if self._faults.knows(step.verb):
                await self._faults.apply(step)
            elif step.verb == "eventually":
                await self._eventually(step, depth)
            else:
                await self._flow(step, depth)
        except asyncio.CancelledError:
            self._recording.cancel(opened)
            raise
        except _DidNotHoldError:
            self._recording.end(opened, self._network.now(), held=False)
            raise
        except _NotYetError as error:
            self._invariant_broke |= role == "invariant"
            inner = step.steps[0]
            shown = error.tries.shown
            since = shown.started_ns
            frames = [] if role == "load" else await self._packets(inner, since)
            expected = inner.text if shown.verdict is None else ", ".join(shown.verdict.expected)
            self._recording.end(
                opened,
                self._network.now(),
                held=False,
                expected=f"{expected}, within {format_duration(step.words.within)}",
                seen=error.tries.text(),
                frames=frames,
                trace=None if shown.verdict is None else shown.verdict.trace,
            )
            raise _DidNotHoldError from None
        except (NetsimError, OSError) as error:
            self._recording.end(
                opened,
                self._network.now(),
                held=False,
                expected=f"{step.verb} to be done",
                seen=" ".join(str(error).split()) or type(error).__name__,
            )
            raise _DidNotHoldError from None
        if role == "invariant":
            self._recording.forget(opened)
        else:
            self._recording.end(opened, self._network.now(), held=True)

    async def _flow(self, step: Step, depth: int) -> None:
        match step.verb:
            case "wait":
                await asyncio.sleep(step.words / SECOND)
            case "parallel":
                await self._parallel([self._step(each, depth + 1) for each in step.steps])
            case "repeat":
                for _ in range(step.words.times):
                    await self._sequence(step.steps, depth + 1)
            case "always":
                await self._always(step, depth)
            case "capture":
                for point in step.words.at:
                    file = self._scenario.folder / step.words.to
                    await self._network.capture(
                        endpoint_text(point), file, filter=step.words.filter or ""
                    )
            case "record":
                words = step.words
                await self._network.record(
                    *map(endpoint_text, words.at),
                    to=self._scenario.folder / words.to,
                    every=format_duration(words.every or _MEASURED_NS),
                    on_measured=self._recording.series.add,
                )

    async def _parallel(self, branches: Sequence[Coroutine[None, None, None]]) -> None:
        """All at once; the first that does not hold ends the others."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for branch in branches:
                    tasks.create_task(branch)
        except* _DidNotHoldError:
            failed = True
        else:
            failed = False
        if failed:
            raise _DidNotHoldError

    async def _always(self, step: Step, depth: int) -> None:
        finished = asyncio.Event()

        async def meanwhile() -> None:
            await self._sequence(step.steps, depth + 1)
            finished.set()

        async def watch() -> None:
            due = self._network.now()
            while True:
                for each in step.checks:
                    await self._always_check(each, depth + 1)
                if finished.is_set():
                    return
                due = max(due + step.words.every, self._network.now())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout((due - self._network.now()) / SECOND):
                        await finished.wait()

        await self._parallel([watch(), meanwhile()])

    async def _always_check(self, step: Step, depth: int) -> None:
        if self._role == "step":
            await self._check(step, "always", depth)
            return
        with contextlib.suppress(_DidNotHoldError):
            await self._check(step, "load", depth)

    async def _eventually(self, step: Step, depth: int) -> None:
        inner = step.steps[0]
        started = self._network.now()
        deadline = started + step.words.within
        every = step.words.every or _RETRY_NS
        tries = Tries()
        while True:
            tried = self._network.now()
            try:
                async with asyncio.timeout((deadline - tried) / SECOND):
                    verdict = await self._verdict(inner)
            except TimeoutError:
                tries.add(Try(tried, None))
                raise _NotYetError(tries) from None
            self._recording.sample(verdict.samples)
            if verdict.held:
                return
            tries.add(Try(tried, verdict))
            if max(tried + every, self._network.now()) >= deadline:
                raise _NotYetError(tries)
            await asyncio.sleep(max(tried + every - self._network.now(), 0) / SECOND)

    # Between steps

    async def _after(self, step: Step) -> None:
        """What is due after a step: programs have logged no error, invariants hold."""
        try:
            await self._look_for_errors(step)
            for invariant in self._scenario.invariants:
                if invariant.verb == "eventually":
                    await self._do(invariant, "invariant", 0)
                else:
                    await self._check(invariant, "invariant", 0)
            await self._look_what_happens()
        except _DidNotHoldError:
            if not step.goes_on:
                raise

    async def _look_for_errors(self, step: Step) -> None:
        new = self._network.errors[self._errors_seen :]
        self._errors_seen += len(new)
        self._recording.errors += new
        if self._planned:
            return  # what breaks beside faults may say so
        surprising = [
            error
            for error in logged_errors(new)
            if not any(part in error.text for part in self._scenario.expected_errors)
        ]
        if not surprising:
            return
        now = self._network.now()
        opened = self._recording.begin(step, now, role="errors")
        self._recording.end(
            opened,
            now,
            held=False,
            expected="no errors of programs",
            seen="\n".join(f"{error.node}: {error.text}" for error in surprising),
        )
        raise _DidNotHoldError

    async def _packets(self, step: Step, since: int) -> list[FrameRecord]:
        with contextlib.suppress(ConnectionError, TimeoutError):
            frames = await self._network.recent_frames()
            return packets_around(step, frames, since, self._network.plan)
        return []


class _NotYetError(Exception):
    """An `eventually` whose time is over."""

    def __init__(self, tries: Tries) -> None:
        super().__init__()
        self.tries = tries


def _texts(verdict: Verdict) -> tuple[str, str]:
    return ", ".join(verdict.expected), ", ".join(verdict.seen)
