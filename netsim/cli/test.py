"""`netsim test`: run scenario files."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from netsim.cli import options
from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say
from netsim.cli.progress import ProgressBar
from netsim.core.errors import InvalidFileError, Problem

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
def command(
    seed: int | None,
    seeds: range | None,
    time_: Literal["virtual", "real"] | None,
    trace: str | None,
    junit: str | None,
    html: str | None,
    jobs: int | None,
    explores: bool,
    examples: int | None,
    write: str | None,
    as_json: bool,
    paths: tuple[str, ...],
) -> int:
    """Run scenario files, and those in directories, in parallel.

    A step that does not hold is shown at its place in the file, as expected against seen, with
    the packets around it. With --trace and several scenarios or seeds FILE is a directory.

    With --explore faults are drawn, within what a file's `explore` allows, until one of its
    invariants breaks; the fewest and shortest that do so become a scenario NAME.found.yaml.
    """
    if seed is not None and seeds is not None:
        raise click.UsageError("`--seed` and `--seeds` exclude each other; write one of them")
    if explores:
        unfit: dict[str, object] = {"--seeds": seeds, "--trace": trace}
        unfit |= {"--junit": junit, "--html": html}
    else:
        unfit = {"--examples": examples, "--write": write}
    for option, value in unfit.items():
        if value is not None:
            where = "not with" if explores else "only with"
            raise click.UsageError(f"`{option}` goes {where} `--explore`; leave it out")
    from netsim.scenario.load_scenario import load_scenario  # pydantic takes a while
    from netsim.scenario.seed_sweep import Runs

    scenarios, problems = [], []
    for file in _files(paths):
        try:
            scenarios.append(load_scenario(file, time=time_))
        except InvalidFileError as error:
            problems += error.problems
    if problems:
        raise InvalidFileError(problems)
    if not scenarios:
        raise click.UsageError("there are no scenarios in these directories; name a file")
    if explores:
        from netsim.cli.fault_search import EXAMPLES, explore_all

        # In a directory there may be others, and files that were found.
        fit = [each for each in scenarios if each.file in paths or each.explore]
        if not fit:
            raise click.UsageError("no scenario here has `explore`; name one that does")
        return explore_all(
            fit,
            seed=seed,
            examples=examples or EXAMPLES,
            jobs=jobs or os.cpu_count() or 1,
            write=write,
            as_json=as_json,
        )
    _check_trace(trace, scenarios)
    started = time.monotonic()
    chosen: list[int | None] = list(seeds) if seeds else [seed]
    with Runs(scenarios, chosen, trace=trace, workers=jobs or os.cpu_count() or 1) as runs:
        results = _follow(runs, as_json)
    wall = time.monotonic() - started
    if junit is not None:
        from netsim.scenario.junit import junit_xml

        Path(junit).write_bytes(junit_xml(results, wall))
    if html is not None:
        from netsim.scenario.html.page import write_html

        write_html(results, html, {each.file: each.topology for each in scenarios})
    if as_json:
        print_json([result.as_dict() for result in results])
    else:
        say(_summary(results, wall))
    return FINE if all(result.held for result in results) else FAILED


def _files(paths: tuple[str, ...]) -> list[str]:
    """The files themselves, and of directories the scenario files in them, once each."""
    files: dict[str, None] = {}
    for path in paths:
        if not os.path.isdir(path):
            files[path] = None
            continue
        for file in sorted(Path(path).rglob("*.yaml")) + sorted(Path(path).rglob("*.yml")):
            # Topologies may lie beside them.
            if _IS_SCENARIO.search(file.read_text(errors="replace")):
                files[str(file)] = None
    return list(files)


def _check_trace(trace: str | None, scenarios: list[Scenario]) -> None:
    real = next((each for each in scenarios if each.time == "real"), None)
    if trace is not None and real is not None:
        message = "every frame is seen in virtual time only; leave out `--trace`"
        raise InvalidFileError([Problem(real.file, 1, 1, message)])


def _follow(runs: Runs, as_json: bool) -> list[ScenarioResult]:
    """Show results as they come, in the order of the files."""
    from netsim.scenario.text_report import again, failure_lines, verdict_line

    bar = ProgressBar("running")
    results = []
    try:
        bar.show(0, runs.total)
        for result in runs.results(lambda: bar.show(runs.done, runs.total)):
            results.append(result)
            if as_json:
                continue
            bar.close()
            say(verdict_line(result), fg=None if result.held else "red")
            if not result.held:
                for line in failure_lines(result):
                    say(line)
                say(f"  again: {again(result)}")
            for notice in result.notices:
                say(f"  note: {notice}")
            bar.show(runs.done, runs.total)
    finally:
        bar.close()
    return results


def _summary(results: list[ScenarioResult], wall: float) -> str:
    held = sum(result.held for result in results)
    failed = len(results) - held
    counts = [f"{held} held"] * bool(held) + [f"{failed} failed"] * bool(failed)
    scenarios = "1 scenario" if len(results) == 1 else f"{len(results)} scenarios"
    return f"{scenarios}: {', '.join(counts)}, in {wall:.1f} s"
