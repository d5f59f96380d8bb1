"""`netsim test`: run scenario files."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from netsim.cli import options
from netsim.cli.order_runs import search_all
from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say
from netsim.cli.progress import ProgressBar
from netsim.core.errors import InvalidFileError, Problem
from netsim.core.order_words import EXHAUSTIVE, FIFO, parse_search_order
from netsim.core.time import SECOND, Time
from netsim.core.units import DURATION
from netsim.topology.file_text import MAX_BYTES

if TYPE_CHECKING:
    from netsim.scenario.results import ScenarioResult
    from netsim.scenario.scenario_model import Scenario
    from netsim.scenario.seed_sweep import Runs

_SEEDS: Final = re.compile(r"([0-9]{1,9})\.\.([0-9]{1,9})")
_MOST_SEEDS: Final = 100_000
_IS_SCENARIO: Final = re.compile(r"^(steps|topology)\s*:", re.MULTILINE)


def _parse_seeds(ctx: click.Context, param: click.Parameter, value: str | None) -> range | None:
    """`1..100`, both ends included."""
    if value is None:
        return None
    match = _SEEDS.fullmatch(value)
    if match is None or not int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"`{value}` is no range of seeds; write for example `1..100`")
    seeds = range(int(match[1]), int(match[2]) + 1)
    if len(seeds) > _MOST_SEEDS:
        raise click.BadParameter(f"{len(seeds)} seeds are too many; write at most {_MOST_SEEDS}")
    return seeds


def _parse_order(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else parse_search_order(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _parse_budget(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """In seconds."""
    try:
        return None if value is None else DURATION.parse(value) / SECOND
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim test tests/scenarios\n"
    "  netsim test --seeds 1..100 tests/scenarios/uplink_failure.yaml\n"
    "  netsim test tests/scenarios --junit results.xml --json | jq '.[].held'",
)
@click.option("--seed", type=int, metavar="N", help="Seed of every random choice.")
@click.option(
    "--seeds",
    callback=_parse_seeds,
    metavar="A..B",
    help="Try many seeds, up to the first that fails.",
)
@click.option("--keep-going", is_flag=True, help="Try the seeds after the first that fails, too.")
@click.option(
    "--budget",
    callback=_parse_budget,
    metavar="TIME",
    help="Begin no run after so much real time, for example 60s.",
)
@click.option(
    "--order",
    callback=_parse_order,
    metavar="ORDER",
    help="Which of the tasks that are ready runs next: fifo, random, pct:3, exhaustive.",
)
@click.option(
    "--time",
    "time_",
    type=click.Choice(["virtual", "real"]),
    help="Time that jumps, or processes; goes before what the files say.",
)
@click.option("--trace", type=click.Path(), metavar="FILE", help="Write every frame as JSON lines.")
@click.option("--junit", type=click.Path(), metavar="FILE", help="Write results as JUnit XML.")
@click.option("--html", type=click.Path(), metavar="FILE", help="Write a report to look at.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Runs at a time; as many as there are processors where it is left out.",
)
@click.option(
    "--explore", "explores", is_flag=True, help="Look for faults under which invariants break."
)
@click.option(
    "--examples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Sets of faults that --explore tries; 100 where it is left out.",
)
@click.option("--write", type=click.Path(), metavar="FILE", help="Where --explore writes a find.")
@options.as_json
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path())
def command(**given: Any) -> int:
    """Run scenario files, and those in directories, in parallel.

    A step that does not hold is shown at its place in the file, as expected against seen, with
    the packets around it. With --trace and several scenarios or seeds FILE is a directory.

    With --explore faults are drawn, within what a file's `explore` allows, until one of its
    invariants breaks; the fewest and shortest that do so become a scenario NAME.found.yaml.
    """
    asked = _Asked(**given)
    asked.check()
    scenarios = _load(asked)
    _check_orders(scenarios, asked)
    doubts = {each: None for scenario in scenarios for each in scenario.topology.warnings}
    for warning in doubts:
        say(warning.as_warning(), err=True)
    if asked.explores:
        return _explore(scenarios, asked)
    _check_trace(asked.trace, scenarios)
    return _run(scenarios, asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The command line."""

    seed: int | None
    seeds: range | None
    keep_going: bool
    budget: float | None
    order: str | None
    time_: Time | None
    trace: str | None
    junit: str | None
    html: str | None
    jobs: int | None
    explores: bool
    examples: int | None
    write: str | None
    as_json: bool
    paths: tuple[str, ...]

    @property
    def workers(self) -> int:
        """How many runs are made at a time."""
        return self.jobs or os.cpu_count() or 1

    def check(self) -> None:
        """UsageError for options that do not go together."""
        if self.seed is not None and self.seeds is not None:
            raise click.UsageError("`--seed` and `--seeds` exclude each other; write one of them")
        unfit: dict[str, object] = {"--examples": self.examples, "--write": self.write}
        if self.explores:
            unfit = {"--seeds": self.seeds, "--trace": self.trace, "--junit": self.junit}
            unfit |= {"--html": self.html, "--keep-going": self.keep_going or None}
        for option, value in unfit.items():
            if value is not None:
                where = "not with" if self.explores else "only with"
                raise click.UsageError(f"`{option}` goes {where} `--explore`; leave it out")


def _load(asked: _Asked) -> list[Scenario]:
    """The scenarios to run; InvalidFileError with the mistakes of all files."""
    from netsim.control.preflight import check_ports
    from netsim.scenario.load_scenario import load_scenario  # pydantic takes a while
    from netsim.topology.make_plan import make_plan

    scenarios, problems = [], []
    for file in _files(asked.paths):
        try:
            scenario = load_scenario(file, time=asked.time_)
            scenario = replace(scenario, traces_requests=asked.html is not None)
            if asked.order is not None:
                scenario = replace(scenario, order=asked.order)
            scenarios.append(scenario)
            if scenario.time == "real":
                topology = os.path.relpath(scenario.topology.file)
                check_ports(topology, make_plan(scenario.topology))
        except InvalidFileError as error:
            problems += error.problems
    if problems:
        raise InvalidFileError(problems)
    if not scenarios:
        raise click.UsageError("there are no scenarios in these directories; name a file")
    return scenarios


def _explore(scenarios: list[Scenario], asked: _Asked) -> int:
    from netsim.cli.fault_search import EXAMPLES, explore_all

    # In a directory there may be others, and files that were found.
    fit = [each for each in scenarios if each.file in asked.paths or each.explore]
    if not fit:
        raise click.UsageError("no scenario here has `explore`; name one that does")
    return explore_all(
        fit,
        seed=asked.seed,
        examples=asked.examples or EXAMPLES,
        jobs=asked.workers,
        write=asked.write,
        as_json=asked.as_json,
        budget=asked.budget,
    )


def _run(scenarios: list[Scenario], asked: _Asked) -> int:
    """Run all, and show and write what came of them."""
    started = time.monotonic()
    show = _Shown(scenarios, asked.as_json, asked.workers)
    made = _run_once(scenarios, asked, show)
    searched = [each for each in scenarios if each.order == EXHAUSTIVE]
    for result, tried in search_all(
        searched, seed=asked.seed, jobs=asked.workers, budget=asked.budget
    ):
        show.add(result)
        made += tried
    results = show.results
    wall = time.monotonic() - started
    if asked.junit is not None:
        from netsim.scenario.junit import junit_xml

        Path(asked.junit).write_bytes(junit_xml(results, wall))
    if asked.html is not None:
        from netsim.scenario.html.page import write_html

        write_html(results, asked.html, {each.file: each.topology for each in scenarios})
    if asked.as_json:
        print_json([result.as_dict() for result in results])
    else:
        say(_summary(results, made, wall))
    return FINE if all(result.held for result in results) else FAILED


def _run_once(scenarios: list[Scenario], asked: _Asked, show: _Shown) -> int:
    """Run those that are one run for each seed; how many runs were made."""
    from netsim.scenario.seed_sweep import Runs

    one_run = [each for each in scenarios if each.order != EXHAUSTIVE]
    if not one_run:
        return 0
    with Runs(
        one_run,
        list(asked.seeds or [asked.seed]),
        trace=asked.trace,
        workers=asked.workers,
        keep_going=asked.keep_going,
        budget=asked.budget,
    ) as runs:
        _follow(runs, show)
        return runs.made


def _files(paths: tuple[str, ...]) -> list[str]:
    """The files themselves, and of directories the scenario files in them, once each."""
    files: dict[str, None] = {}
    for path in paths:
        if not os.path.isdir(path):
            files[path] = None
            continue
        for file in sorted(Path(path).rglob("*.yaml")) + sorted(Path(path).rglob("*.yml")):
            if _is_scenario(file):
                files[str(file)] = None
    return list(files)


def _is_scenario(file: Path) -> bool:
    """Whether it is one, or cannot be looked at; topologies, pipes and folders may lie beside."""
    if not file.is_file():
        return False
    try:
        with file.open(errors="replace") as stream:
            return _IS_SCENARIO.search(stream.read(MAX_BYTES)) is not None
    except OSError:
        return True  # what is wrong with it is told when it is loaded


def _check_trace(trace: str | None, scenarios: list[Scenario]) -> None:
    real = next((each for each in scenarios if each.time == "real"), None)
    if trace is not None and real is not None:
        message = "every frame is seen in virtual time only; leave out `--trace`"
        raise InvalidFileError([Problem(real.file, 1, 1, message)])


def _check_orders(scenarios: list[Scenario], asked: _Asked) -> None:
    """Raise where an order cannot be had, or is none of a single run."""
    from netsim.scenario.load_scenario import REAL_ORDER

    problems = [
        Problem(each.file, 1, 1, REAL_ORDER)
        for each in scenarios
        if each.time == "real" and each.order not in (None, FIFO)
    ]
    if problems:
        raise InvalidFileError(problems)
    if not any(each.order == EXHAUSTIVE for each in scenarios):
        return
    unfit = {
        "--seeds": asked.seeds is not None,
        "--explore": asked.explores,
        "--trace": asked.trace is not None,
    }
    for option, is_given in unfit.items():
        if is_given:
            raise click.UsageError(
                f"`{option}` does not go with the order `exhaustive`, which makes runs of its own; "
                "leave one of them out"
            )


class _Shown:
    """Results, each shown as it comes."""

    def __init__(self, scenarios: list[Scenario], as_json: bool, jobs: int) -> None:
        self.results: list[ScenarioResult] = []
        self._scenarios = {each.file: each for each in scenarios}
        self._noted: set[tuple[str, str]] = set()
        """Of a file, however many seeds it runs under."""
        self._as_json = as_json
        self._jobs = jobs

    def add(self, result: ScenarioResult) -> None:
        from netsim.cli.order_runs import with_fewest_swaps
        from netsim.scenario.text_report import again, failure_lines, verdict_line

        is_first = all(each.held or each.file != result.file for each in self.results)
        if not result.held and is_first:
            result = with_fewest_swaps(self._scenarios[result.file], result, self._jobs)
        self.results.append(result)
        if self._as_json:
            return
        say(verdict_line(result), fg=None if result.held else "red")
        if not result.held:
            # Of several seeds the first says what is wrong.
            for line in failure_lines(result) if is_first else ():
                say(line)
            say(f"  again: {again(result)}")
        for notice in result.notices:
            if (result.file, notice) not in self._noted:
                self._noted.add((result.file, notice))
                say(f"  note: {notice}")


def _follow(runs: Runs, show: _Shown) -> None:
    """Show results as they come, in the order of the files."""
    bar = ProgressBar("running", "runs")
    try:
        bar.show(0, runs.total)
        for result in runs.results(lambda: bar.show(runs.done, runs.total)):
            bar.close()
            show.add(result)
            bar.show(runs.done, runs.total)
    finally:
        bar.close()


def _summary(results: list[ScenarioResult], made: int, wall: float) -> str:
    files = {result.file for result in results}
    failed = len({result.file for result in results if not result.held})
    held = len(files) - failed
    counts = [f"{held} held"] * bool(held) + [f"{failed} failed"] * bool(failed)
    scenarios = "1 scenario" if len(files) == 1 else f"{len(files)} scenarios"
    seconds = f"{wall:.1f} s"
    if made > len(files):
        rate = made / wall
        seconds = f"{seconds} ({made} runs, {rate:.{0 if rate >= 10 else 1}f}/s)"
    return f"{scenarios}: {', '.join(counts)}, in {seconds}"
