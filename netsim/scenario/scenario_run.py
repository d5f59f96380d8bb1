"""One run of a scenario: a network of its own, in virtual time or as processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from netsim.core.errors import NetsimError
from netsim.core.order_words import EXHAUSTIVE, FIFO, UNDRAWN
from netsim.core.time import SECOND
from netsim.core.units import format_duration
from netsim.interception.drawn_order import Choice, Choices
from netsim.network.network import Network
from netsim.scenario.fault_steps import PlannedFault
from netsim.scenario.recording import Recording
from netsim.scenario.results import ScenarioResult
from netsim.scenario.scenario_model import Scenario
from netsim.scenario.step_runner import Runner
from netsim.topology.make_plan import make_plan
from netsim.topology.plan import NetworkPlan
from netsim.virtual.director_loop import DirectorLoop
from netsim.virtual.timeline import TimersSeen


def execute(
    scenario: Scenario,
    *,
    plan: NetworkPlan | None = None,
    seed: int | None = None,
    trace: str | os.PathLike[str] | None = None,
    faults: Sequence[PlannedFault] = (),
    watches_timers: bool = False,
    script: Sequence[tuple[Choice, int]] | None = None,
    has_own_files: bool = False,
    keeps_files: bool = True,
    lengths: Sequence[tuple[str, int]] = (),
    new_network: Callable[..., Network] = Network,
) -> ScenarioResult:
    """Run the scenario to its end. `seed` goes before the scenario's, that before the topology's.

    `plan` is that of the scenario's topology, where it was made before. `trace` is a file for every
    frame. `faults` come at times of their own, beside the steps. Timers of programs can be watched
    in virtual time. With a `script` no order of tasks is drawn; what it says is chosen.
    `has_own_files` puts the seed into the names of what it captures and records, which goes nowhere
    without `keeps_files`.
    `lengths` are those of another run, in choices by computer, for PCT.
    Whatever goes wrong is in the result. It runs an event loop: none may be running.
    """
    plan = make_plan(
        scenario.topology if plan is None else plan,
        seed=scenario.seed if seed is None else seed,
        order=FIFO if scenario.order == EXHAUSTIVE else scenario.order,
    )
    started = time.monotonic()
    network = new_network(plan, time=scenario.time)
    recording = Recording(network.timing_watches if scenario.time == "real" else None)
    network.run_files.are_kept = keeps_files
    # A run alone has no use for it; but one among others would have an object more in memory.
    network.run_files.mark = f"seed-{plan.seed}"
    network.run_files.are_marked = has_own_files
    watched = _Watched(TimersSeen() if watches_timers else None)
    if script is not None:
        watched.choices.script = dict(script)
    watched.choices.lengths = dict(lengths)
    main = _main(scenario, network, recording, trace, (*scenario.faults, *faults), watched)
    try:
        _run(scenario, main)
    except (NetsimError, OSError) as error:
        lines = [line.rstrip() for line in str(error).splitlines()]
        recording.interrupt(network.now(), "\n".join(line for line in lines if line))
    recording.exits = network.exits
    recording.network_ns = max(recording.network_ns, network.now())
    wall = time.monotonic() - started
    result = recording.result(scenario.name, scenario.file, plan.seed, scenario.time, wall)
    return watched.added_to(replace(result, order=scenario.order or ""))


@dataclass(slots=True)
class _Watched:
    """What is looked at on the timeline of a run."""

    timers: TimersSeen | None
    choices: Choices = field(default_factory=Choices)
    course: int = 0

    def added_to(self, result: ScenarioResult) -> ScenarioResult:
        dues = {} if self.timers is None else self.timers.dues
        choices = self.choices
        result = replace(
            result,
            timers=tuple((length, tuple(dues[length])) for length in dues),
            timers_left_out=0 if self.timers is None else self.timers.left_out,
            is_drawn=choices.is_drawn,
            course=hash((self.course, tuple(choices.swaps))),
            open_choices=tuple(choices.open),
            lengths=tuple(sorted(choices.made.items())),
        )
        if result.held:
            return result
        return replace(
            result,
            choices=tuple(choices.swaps),
            swaps=tuple(swap.as_dict() for swap in choices.last),
        )


def _run(scenario: Scenario, main: Any) -> None:
    # Not `netsim.run`: what may differ is in the result.
    with asyncio.Runner(loop_factory=None if scenario.time == "real" else DirectorLoop) as runner:
        runner.run(main)


async def _main(
    scenario: Scenario,
    network: Network,
    recording: Recording,
    trace: str | os.PathLike[str] | None,
    faults: Sequence[PlannedFault],
    watched: _Watched,
) -> None:
    wall_limit = scenario.wall_limit_ns
    loop = asyncio.get_running_loop()
    if isinstance(loop, DirectorLoop):
        loop.timeline.timers_seen = watched.timers
        loop.timeline.choices = watched.choices
        if wall_limit is not None:
            loop.timeline.limit_wall_time(wall_limit / SECOND)
    async with network:
        network.observe_frames()
        if trace is not None:
            network.trace_frames(trace)
        running = asyncio.create_task(Runner(scenario, network, recording, faults).run())
        try:
            limit = _time_limit(scenario, faults)
            await _until_done(running, limit, scenario, network, recording)
        finally:
            if isinstance(loop, DirectorLoop):
                watched.course = loop.timeline.course
            recording.notices += [
                f"another run may differ: {cause}" for cause in network.unrepeatable
            ]
            if scenario.time == "real":
                recording.notices += [text] if (text := network.timing.text) else []
                drawn = network.plan.drawn_order or UNDRAWN
                recording.notices += [str(drawn)] if network.plan.draws_order else []
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


def _time_limit(scenario: Scenario, faults: Sequence[PlannedFault]) -> int | None:
    """Of network time. Beside faults it ends the steps, and what comes after has it once more."""
    limit = scenario.time_limit_ns
    if limit is None or not faults:
        return limit
    return max(limit, *(fault.healed_ns for fault in faults)) + limit


async def _until_done(
    running: asyncio.Task[None],
    time_limit_ns: int | None,
    scenario: Scenario,
    network: Network,
    recording: Recording,
) -> None:
    """Wait for the end of the steps, or of the time that they have."""
    limits = [(time_limit_ns, "network time")]
    if scenario.time == "real":
        limits.append((scenario.wall_limit_ns, "real time"))
    given = [(ns, what) for ns, what in limits if ns is not None]
    limit, what = min(given, default=(None, ""))
    done, _ = await asyncio.wait({running}, timeout=None if limit is None else limit / SECOND)
    if not done:
        assert limit is not None
        recording.interrupt(
            network.now(), f"the limit of {format_duration(limit)} of {what} is over"
        )
    elif not running.cancelled():
        running.result()
