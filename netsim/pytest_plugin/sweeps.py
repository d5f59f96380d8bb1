"""A test under many seeds runs in processes of its own, on all cores, as a scenario does.

Each seed is a fork of one process that has collected the test with a fixed hash seed and without
address randomisation: a seed is the same run alone and among a thousand. Here runs are started
ahead of pytest, which asks for one after the other, and their reports are given to it as if the
test had run here. Where that cannot be it does run here, and that is told.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from netsim.pytest_plugin.network_fixture import trace_of
from netsim.pytest_plugin.seeds import IN_PROCESS, failed_before, note_failure, sweep_of

if TYPE_CHECKING:
    from netsim.interception.drawn_order import Choice
    from netsim.pytest_plugin.seed_answers import SeedAnswer
    from netsim.pytest_plugin.seed_processes import FileOfTests, RunsOfATest

_DEBUGGERS: Final = ("pydevd", "debugpy")
_LONGEST_SHRINKING: Final = 30.0
"""Seconds that are spent on leaving out swaps of tasks."""


@dataclass(slots=True)
class _Sweeps:
    """What is there of such processes in a session of pytest."""

    file: FileOfTests | None = None
    runs: RunsOfATest | None = None
    test: str = ""
    """Whose runs they are."""
    refused: dict[Path, str] = field(default_factory=dict)
    """Files whose tests run here, and why."""


_SWEEPS = pytest.StashKey[_Sweeps]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test with a seed of many in a process of its own."""
    sweep = sweep_of(item)
    marker = item.get_closest_marker("netsim")
    if sweep is None or marker is None or marker.kwargs.get("time", "virtual") != "virtual":
        return None
    sweeps = item.config.stash.setdefault(_SWEEPS, _Sweeps())
    if failed_before(item) is not None or _is_skipped(item):
        return None
    why = _why_here(item.config) or sweeps.refused.get(item.path, "")
    answer: SeedAnswer | str | None = None
    if not why:
        from netsim.pytest_plugin.seed_processes import RefusedError

        # The run has its own limit of time, where pytest-timeout gives it one.
        cancel = getattr(item.ihook, "pytest_timeout_cancel_timer", None)
        if cancel is not None:
            cancel(item=item)
        try:
            runs = _runs(sweeps, item, sweep[0])
            answer = runs.result(item.nodeid, sweep[1])
        except RefusedError as error:
            why = sweeps.refused[item.path] = str(error)
    if answer is None:
        item.stash[IN_PROCESS] = why
        return None
    if _breaks(answer):
        note_failure(item)
        if failed_before(item) is not None:
            runs.drop()
        answer = _with_fewest_swaps(runs, item, sweep[1], answer)
    _report(item, answer)
    follows = None if nextitem is None else sweep_of(nextitem)
    if follows is None or follows[0] != sweep[0]:
        _end_runs(sweeps, item)
    if nextitem is None or nextitem.path != item.path:
        _end_file(sweeps)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leave nothing behind."""
    sweeps = session.config.stash.get(_SWEEPS, None)
    if sweeps is not None:
        _end_runs(sweeps, None)
        _end_file(sweeps)


def _why_here(config: pytest.Config) -> str:
    """What needs the test to run in this process, if anything does."""
    for option, words in (
        ("netsim_in_process", "--netsim-in-process"),
        ("usepdb", "--pdb"),
        ("trace", "--trace"),
        ("setupshow", "--setup-show"),
        ("setuponly", "--setup-only"),
    ):
        if config.getoption(option, False):
            return words
    coverage = sys.modules.get("coverage")
    if coverage is not None and coverage.Coverage.current() is not None:
        return "coverage is measured"
    if sys.gettrace() is not None or any(name in sys.modules for name in _DEBUGGERS):
        return "a debugger is attached"
    return ""


def _is_skipped(item: pytest.Item) -> bool:
    """Marks that skip it may ask the environment, which is another one in its process."""
    from _pytest.skipping import evaluate_skip_marks

    try:
        return evaluate_skip_marks(item) is not None
    except pytest.fail.Exception:
        return True  # the mark is wrong, and pytest says so


def _runs(sweeps: _Sweeps, item: pytest.Item, test: str) -> RunsOfATest:
    from netsim.pytest_plugin.seed_processes import FileOfTests, RunsOfATest

    if sweeps.runs is not None and sweeps.test == test:
        return sweeps.runs
    _end_runs(sweeps, item)
    if sweeps.file is None or sweeps.file.path != item.path:
        _end_file(sweeps)
        sweeps.file = FileOfTests(item.config, item.path)
    ahead = _ahead(item, test)
    traces = {each.nodeid: path for each, _ in ahead if (path := trace_of(each)) is not None}
    is_worker = hasattr(item.config, "workerinput")  # of pytest-xdist, which has all cores busy
    most = 1 if is_worker else len(os.sched_getaffinity(0))
    sweeps.runs = RunsOfATest(sweeps.file, test, traces, most)
    sweeps.test = test
    if not is_worker:
        sweeps.runs.want((each.nodeid, seed) for each, seed in ahead)
    return sweeps.runs


def _ahead(item: pytest.Item, test: str) -> list[tuple[pytest.Item, int]]:
    """The runs of the same test that are to come, in their order."""
    items = item.session.items
    found = [(each, sweep) for each in items if (sweep := sweep_of(each)) and sweep[0] == test]
    places = [each for each, _ in found]
    start = places.index(item) if item in places else len(found)
    return [(each, sweep[1]) for each, sweep in found[start:]]


def _with_fewest_swaps(
    runs: RunsOfATest, item: pytest.Item, seed: int, failed: SeedAnswer | str
) -> SeedAnswer | str:
    """Of a run that fails likewise with the fewest swaps of tasks, of those that were drawn."""
    if isinstance(failed, str) or not failed.swaps:
        return failed
    from netsim.core.order_words import FIFO
    from netsim.scenario.order_search import with_fewest_swaps

    of_swaps = len(failed.swaps)
    deadline = time.monotonic() + _LONGEST_SHRINKING

    def fails(script: tuple[tuple[Choice, int], ...], **words: Any) -> SeedAnswer | None:
        if time.monotonic() > deadline:
            return None
        words |= {"script": None if "order" in words else script, "of_swaps": of_swaps}
        answer = runs.result(item.nodeid, seed, **words)
        return answer if not isinstance(answer, str) and _breaks(answer) == broken else None

    broken = _breaks(failed)
    return fails((), order=FIFO) or with_fewest_swaps(failed.swaps, fails) or failed


def _breaks(answer: SeedAnswer | str) -> list[Any]:
    """Where a test has failed: phases, and lines that raised; nothing where it has not."""
    if isinstance(answer, str):
        return [answer]
    found: list[Any] = []
    for data in answer.reports:
        if data["outcome"] == "failed":
            longrepr = data["longrepr"]
            crash = longrepr.get("reprcrash") if isinstance(longrepr, dict) else None
            found.append((data["when"], crash and (crash["path"], crash["lineno"])))
    return found


def _end_runs(sweeps: _Sweeps, item: pytest.Item | None) -> None:
    if sweeps.runs is None:
        return
    report = sweeps.runs.close()
    sweeps.runs = None
    if report is not None and item is not None:
        _log(item, report)


def _end_file(sweeps: _Sweeps) -> None:
    if sweeps.file is not None:
        sweeps.file.close()
        sweeps.file = None


def _report(item: pytest.Item, answer: SeedAnswer | str) -> None:
    """Tell pytest, as if the test had run here."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    if isinstance(answer, str):
        failed = pytest.TestReport(
            item.nodeid, item.location, dict.fromkeys(item.keywords, 1), "failed", answer, "call"
        )
        note_failure(item)
        hook.pytest_runtest_logreport(report=failed)
    else:
        for category, text, file, line, when, location in answer.warned:
            message = warnings.WarningMessage(category(text), category, file, line)
            hook.pytest_warning_recorded.call_historic(
                kwargs={
                    "warning_message": message,
                    "when": when,
                    "nodeid": item.nodeid,
                    "location": location,
                }
            )
        for data in answer.reports:
            _log(item, data)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    if isinstance(answer, str) or answer.ended is None:
        return
    if answer.ended == "interrupt":
        raise KeyboardInterrupt
    pytest.exit(answer.ended)


def _log(item: pytest.Item, data: Any) -> None:
    config = item.config
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    report.nodeid, report.location = item.nodeid, item.location
    if report.failed:
        note_failure(item)
    if config.getoption("capture", "fd") in ("no", "tee-sys"):
        _print_captured(report, config.getoption("capture") == "no")
    item.ihook.pytest_runtest_logreport(report=report)


def _print_captured(report: pytest.TestReport, is_all: bool) -> None:
    """Of this phase what would have been printed while it ran."""
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        title = f"Captured {name} {report.when}"
        text = "".join(text for head, text in report.sections if head == title)
        if text:
            stream.write(text)
            stream.flush()
    if is_all:
        report.sections = [
            (head, text)
            for head, text in report.sections
            if not head.startswith(("Captured stdout", "Captured stderr"))
        ]
