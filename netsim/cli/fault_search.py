"""`netsim test --explore`: look for the faults under which scenarios do not hold."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say
from netsim.cli.progress import ProgressBar
from netsim.core.errors import InvalidFileError, Problem
from netsim.core.units import format_duration

if TYPE_CHECKING:
    from netsim.scenario.explore import Exploration
    from netsim.scenario.process_pool import Pool
    from netsim.scenario.results import ScenarioResult
    from netsim.scenario.scenario_model import Scenario

EXAMPLES: Final = 100
"""Sets of faults to try where nothing is said."""


def explore_all(
    scenarios: Sequence[Scenario],
    *,
    seed: int | None,
    examples: int,
    jobs: int,
    write: str | None,
    as_json: bool,
    budget: float | None = None,
) -> int:
    """Search in one after the other, `jobs` sets of faults at a time; write and show what is found.

    When the `budget` is over, in seconds, no run begins but the first of each scenario. Returns
    the exit code.
    """
    from netsim.scenario.process_pool import Pool

    if write is not None and len(scenarios) > 1:
        raise click.UsageError("`--write` is for one scenario; name one file")
    _check(scenarios, write)
    started = time.monotonic()
    pool = Pool(jobs)
    try:
        deadline = None if budget is None else started + budget
        reports = [
            _explore(each, pool, seed, examples, write, as_json, deadline) for each in scenarios
        ]
    finally:
        pool.close()
    wall = time.monotonic() - started
    if as_json:
        print_json(reports)
    else:
        held = sum(bool(report["held"]) for report in reports)
        count = "1 scenario" if len(reports) == 1 else f"{len(reports)} scenarios"
        counts = [f"{held} held"] * bool(held)
        counts += [f"{len(reports) - held} failed"] * (held < len(reports))
        say(f"{count} explored: {', '.join(counts)}, in {wall:.1f} s")
    return FINE if all(report["held"] for report in reports) else FAILED


def _check(scenarios: Sequence[Scenario], write: str | None) -> None:
    """Raise `InvalidFileError` with what keeps scenarios from being explored."""
    from netsim.scenario.found_scenario import unmovable

    problems = []
    for scenario in scenarios:
        missing = [
            (scenario.time == "real", "only virtual time repeats; write `--time virtual`"),
            (bool(scenario.faults), "it has `faults` already; explore a file without"),
            (not scenario.explore, "it does not say what may break; write `explore: {faults: …}`"),
            (not scenario.invariants, "it does not say what must hold; write `invariants: […]`"),
        ]
        problems += [Problem(scenario.file, 1, 1, text) for is_so, text in missing if is_so]
        if write is not None:
            problems += unmovable(scenario, Path(write).absolute().parent)
    if problems:
        raise InvalidFileError(problems)


def _explore(
    scenario: Scenario,
    pool: Pool,
    seed: int | None,
    examples: int,
    write: str | None,
    as_json: bool,
    deadline: float | None,
) -> dict[str, Any]:
    """Search, write, show; what came of it, for JSON."""
    from netsim.scenario.explore import explore
    from netsim.scenario.found_scenario import default_file, found_text

    with _Progress(examples) as progress:
        exploration = explore(
            scenario,
            pool,
            seed=seed,
            examples=examples,
            progress=progress.show,
            deadline=deadline,
        )
    file, again = None, None
    if exploration.result is not None:
        file = write or default_file(scenario)
        text = found_text(scenario, exploration, Path(file).absolute().parent)
        Path(file).write_text(text, encoding="utf-8")
        again = _again(file, pool)
    if not as_json:
        _show(scenario, exploration, again, examples)
    return _report(scenario, exploration, again, file)


def _report(
    scenario: Scenario, exploration: Exploration, again: ScenarioResult | None, file: str | None
) -> dict[str, Any]:
    """For JSON; `again` is what the written `file` came to."""
    faultless = exploration.faultless
    run = again if faultless.held else faultless
    report: dict[str, Any] = {
        "file": scenario.file,
        "name": scenario.name,
        "seed": exploration.seed,
        "held": faultless.held and exploration.result is None,
        "tried": exploration.tried,
        "kinds": list(exploration.kinds),
        "span_ns": exploration.span_ns,
        "faults": [fault.as_dict() for fault in exploration.faults],
        "written": file,
        "runs": [] if run is None else [run.as_dict()],
    }
    if exploration.is_cut_short or not exploration.is_shrunk_enough:
        report["cut_short"] = True
    if exploration.left_out:
        report["left_out"] = " and ".join(exploration.left_out)
    return report


def _show(
    scenario: Scenario, exploration: Exploration, again: ScenarioResult | None, examples: int
) -> None:
    if again is not None:
        _show_found(scenario, exploration, again)
    elif not exploration.faultless.held:
        _show_faultless(exploration.faultless)
    else:
        _show_held(scenario, exploration)
    if exploration.is_cut_short:
        say(f"  note: the budget is over: {_cut_short(exploration, examples)}")
    if not exploration.is_shrunk_enough:
        from netsim.scenario.explore import MOST_TO_SHRINK

        say(
            f"  note: {MOST_TO_SHRINK} smaller sets were tried, and no more; fewer or shorter "
            "faults may do"
        )
    if exploration.left_out:
        left_out = " and ".join(exploration.left_out)
        say(f"  note: around {left_out} nothing was drawn: there are too many")
    if exploration.faultless.held and _takes_no_time(exploration.faultless):
        say(
            "  note: the steps take no network time: no fault can come between packets; give "
            "links a delay"
        )


def _cut_short(exploration: Exploration, examples: int) -> str:
    if exploration.result is None:
        return f"{exploration.tried} of up to {examples} sets were tried"
    return "fewer or shorter faults may do"


def _takes_no_time(result: ScenarioResult) -> bool:
    steps = [step for step in result.steps if step.role == "step" and not step.depth]
    return all(step.started_ns == step.ended_ns for step in steps)


def _again(file: str, pool: Pool) -> ScenarioResult:
    """What the written file comes to, by itself."""
    from netsim.scenario.load_scenario import load_scenario
    from netsim.scenario.process_pool import Job

    ((_, result),) = pool.run([Job(load_scenario(file))])
    return result


def _show_found(scenario: Scenario, exploration: Exploration, again: ScenarioResult) -> None:
    from netsim.scenario.found_scenario import fault_lines
    from netsim.scenario.text_report import failure_lines

    count = len(exploration.faults)
    faults = "1 fault" if count == 1 else f"{count} faults"
    say(
        f"FAILED  {scenario.file}: {scenario.name} (with {faults}, seed {exploration.seed}; "
        f"found with {_sets(exploration.tried)})",
        fg="red",
    )
    for line in fault_lines(exploration):
        say(f"  {line}")
    assert exploration.result is not None
    shown = exploration.result if again.held else again
    for line in failure_lines(shown):
        say(line)
    if again.held:
        say(f"  note: {again.file} holds by itself: another run differs from the first")
    for notice in again.notices:
        say(f"  note: {notice}")
    say(f"  again: netsim test {shlex.quote(again.file)}")


def _show_held(scenario: Scenario, exploration: Exploration) -> None:
    assert scenario.explore is not None, "nothing else is explored"
    say(
        f"ok      {scenario.file}: {scenario.name} (held under {_sets(exploration.tried)}, "
        f"seed {exploration.seed})"
    )
    say(
        f"  tried: {', '.join(exploration.kinds)}; begun within "
        f"{format_duration(round(exploration.span_ns, -6))}, lasting up to "
        f"{format_duration(scenario.explore.lasting_ns)}, at most {scenario.explore.at_most} "
        "in a run"
    )


def _show_faultless(result: ScenarioResult) -> None:
    from netsim.scenario.text_report import again, failure_lines

    say(f"FAILED  {result.file}: {result.name} (without any fault, seed {result.seed})", fg="red")
    for line in failure_lines(result):
        say(line)
    say(f"  again: {again(result)}")


def _sets(count: int) -> str:
    return "1 set of faults" if count == 1 else f"{count} sets of faults"


class _Progress:
    """A bar of the sets tried; when one has failed, a count of those tried to shrink it."""

    def __init__(self, examples: int) -> None:
        self._examples = examples
        self._bar = ProgressBar("exploring")
        self._is_shrinking = False

    def __enter__(self) -> _Progress:
        self._bar.show(0, self._examples)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, tried: int, is_shrinking: bool) -> None:
        """So many sets were tried."""
        if is_shrinking and not self._is_shrinking:
            self._is_shrinking = True
            self._bar.close()
            self._bar = ProgressBar("found one; shrinking it")
        self._bar.show(tried, None if is_shrinking else self._examples)
