"""What a run of pytest says at its end of all its tests in networks: each thing once.

What may differ in another run, what was to happen sometimes and never did, seeds that are all one
run, how fast the seeds of a test ran, and why if that was in pytest's own process. What may differ
is a property of the test as well, and so in pytest's JUnit file.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from typing import Any, Final

import pytest

from netsim.pytest_plugin.network_fixture import COURSE, NETWORK, SHOWN
from netsim.pytest_plugin.seeds import IN_PROCESS, SeedServer, has_seeds, without_seed

_SAID: Final = "netsim"
"""Attribute of a report, of simple types: pytest-xdist carries it from its workers."""
_NOTICE: Final = "netsim: another run may differ"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the network of a test has to say of its run, when the run is over."""
    network = item.stash.get(NETWORK, None)
    if call.when != "teardown" or network is None or network.state == "new":
        return (yield)
    causes = [str(cause) for cause in network.unrepeatable]
    item.user_properties += [(_NOTICE, cause) for cause in causes]
    report = yield
    said: dict[str, Any] = {"causes": causes, "happened": network.happened}
    if has_seeds(item) and COURSE in item.stash:
        from netsim.scenario.one_run import host_jitter_worth_writing

        said["course"] = item.stash[COURSE]
        interfaces = (each for node in network.plan.nodes for each in node.interfaces)
        said["jitter"] = host_jitter_worth_writing(each.egress for each in interfaces)
    if IN_PROCESS in item.stash:
        said["in_process"] = item.stash[IN_PROCESS]
    if SeedServer.run is not None and not SeedServer.run.of_swaps:
        said["times"] = (SeedServer.run.began, time.time())
    vars(report)[_SAID] = said
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Sections, where there is something to say."""
    runs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        said = vars(report).get(_SAID) if hasattr(report, "__dict__") else None
        if said is not None:
            runs[without_seed(report.nodeid)].append(said)
    everything = list(itertools.chain.from_iterable(runs.values()))
    causes = itertools.chain.from_iterable(said["causes"] for said in everything)
    _show(terminalreporter, _NOTICE, dict.fromkeys(causes))
    _show(terminalreporter, "netsim: what seeds did not show", list(_of_sweeps(runs)))
    _show(terminalreporter, "netsim: seeds", [*_rates(runs), *_in_process(runs)])


def _rates(runs: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for test, of_test in runs.items():
        times = [said["times"] for said in of_test if "times" in said]
        if len(times) > 1:
            took = max(max(ended for _, ended in times) - min(began for began, _ in times), 0.001)
            yield f"{test}: {len(times)} seeds in {took:.1f} s, {len(times) / took:.3g} a second"


def _in_process(runs: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for test, of_test in runs.items():
        for why in dict.fromkeys(said["in_process"] for said in of_test if "in_process" in said):
            yield f"{test}: ran in pytest's own process, one seed after the other: {why}"


def _of_sweeps(runs: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for test, of_test in runs.items():
        count = "1 run" if len(of_test) == 1 else f"{len(of_test)} runs"
        for what in dict.fromkeys(itertools.chain(*(said["happened"] for said in of_test))):
            if not any(said["happened"].get(what, False) for said in of_test):
                yield f"{test}: sometimes, but never in {count}: {what}"
        courses = [said.get("course") for said in of_test]
        if len(courses) > 1 and None not in courses and len(set(courses)) == 1:
            from netsim.scenario.one_run import one_run_notice

            how = '`order="random"` in the marker'
            yield f"{test}: {one_run_notice(len(courses), how, of_test[0]['jitter'])}"


def _show(terminalreporter: pytest.TerminalReporter, title: str, lines: Iterable[str]) -> None:
    lines = list(lines)
    if not lines:
        return
    from netsim.core.printable import printable

    terminalreporter.section(title)
    for line in lines[:SHOWN]:
        terminalreporter.line(printable(line))
    if len(lines) > SHOWN:
        terminalreporter.line(f"and {len(lines) - SHOWN} more")
