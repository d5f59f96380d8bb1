"""From a scenario file to a checked scenario."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from netsim.core.errors import MOST_PROBLEMS, InvalidFileError
from netsim.core.garbage import without_collections
from netsim.core.order_words import FIFO
from netsim.core.time import Time
from netsim.scenario.check_words import CheckWords
from netsim.scenario.fault_words import ExploreWords, PlannedFaultWords
from netsim.scenario.scenario_model import (
    FAULT_KINDS,
    LINK_KINDS,
    NODE_KINDS,
    ExploreBudget,
    PlannedFault,
    Scenario,
    Step,
)
from netsim.scenario.scenario_modules import missing_in_topology
from netsim.scenario.scenario_words import ScenarioWords
from netsim.scenario.step_text import describe, endpoint_text
from netsim.scenario.step_words import StepWords
from netsim.scenario.topology_names import check_names
from netsim.topology.checked_topology import Topology
from netsim.topology.findings import FileFindings, report_words
from netsim.topology.load_topology import load_topology
from netsim.topology.places_in_file import outside_in_virtual_time
from netsim.topology.yaml_source import PathTo, YamlSource, read_yaml

_KEYS: Final = "`name`, `topology` and `steps`"
REAL_ORDER: Final = (
    "the order of tasks is drawn in virtual time only; leave it out, or write `time: virtual`"
)
MAX_STEPS: Final = 10_000
_DEFAULT_FAULTS: Final = 3
_DEFAULT_LASTING_NS: Final = 30_000_000_000


@without_collections()
def load_scenario(
    path: str | os.PathLike[str], source: YamlSource | None = None, *, time: Time | None = None
) -> Scenario:
    """The checked scenario in the file at `path`; `time` goes before the file's.

    `source` is what has been read there already. Raises `InvalidFileError` with every mistake in it
    and in its topology file.
    """
    source = source or read_yaml(path, keys=_KEYS)
    folder = Path(path).absolute().parent
    findings = FileFindings(source)
    findings.stop_if_any()
    _check_number_of_steps(source.data, findings)
    words = _words(source, findings)
    topology, beside = _topology(source, folder, findings)
    if topology is not None and isinstance(source.data, dict):
        check_names(source.data, topology, folder, findings)
    try:
        findings.stop_if_any()
    except InvalidFileError as error:
        if beside is None:
            raise
        both = [*error.problems, *beside.problems]
        raise InvalidFileError(both, error.more + beside.more) from None
    if beside is not None:
        raise beside
    assert words is not None
    assert topology is not None
    time = time or words.time or "virtual"
    problems = missing_in_topology(topology, folder)
    if time == "virtual":
        problems += outside_in_virtual_time(
            os.path.relpath(topology.file), topology.layout.nodes.values()
        )
    if problems:
        problems.sort()
        more = max(0, len(problems) - MOST_PROBLEMS)
        raise InvalidFileError(problems[:MOST_PROBLEMS], more)
    if time == "real" and words.order not in (None, FIFO):
        findings.report(("order",), REAL_ORDER)
        findings.stop_if_any()
    limits = words.limits
    return Scenario(
        name=words.name,
        file=source.file,
        folder=folder,
        topology=topology,
        steps=_steps(words.steps, source, ("steps",)),
        invariants=_steps(words.invariants or [], source, ("invariants",)),
        sometimes=_steps(words.sometimes or [], source, ("sometimes",)),
        time=time,
        order=words.order,
        seed=words.seed,
        time_limit_ns=limits.time if limits else None,
        wall_limit_ns=limits.wall if limits else None,
        expected_errors=tuple(words.expected_errors or ()),
        faults=tuple(_planned(each) for each in words.faults or ()),
        explore=_budget(words.explore),
        sources=source.data,
    )


def _check_number_of_steps(written: Any, findings: FileFindings) -> None:
    total = _steps_in(written)
    if total > MAX_STEPS:
        message = f"{total} steps are too many; write at most {MAX_STEPS}, or `repeat` them"
        findings.report(("steps",), message, at_key=True)
        findings.stop_if_any()


def _steps_in(written: Any) -> int:
    """Steps, checks and faults: mappings in lists, at any depth; not arguments of functions."""
    if isinstance(written, dict):
        return sum(_steps_in(value) for key, value in written.items() if key != "args")
    if isinstance(written, list):
        return sum(isinstance(each, dict) + _steps_in(each) for each in written)
    return 0


def _words(source: YamlSource, findings: FileFindings) -> ScenarioWords | None:
    try:
        return ScenarioWords.model_validate(source.data)
    except ValidationError as error:
        report_words(error, findings, ScenarioWords)
    return None


def _topology(
    source: YamlSource, folder: Path, findings: FileFindings
) -> tuple[Topology | None, InvalidFileError | None]:
    """The topology, or what is wrong in its file."""
    written = source.data.get("topology") if isinstance(source.data, dict) else None
    if not isinstance(written, str) or not written or "\0" in written:
        return None, None
    file = folder / written
    if not file.exists():
        message = f"there is no file `{written}` beside this one; write its path from here"
        findings.report(("topology",), message)
        return None, None
    try:
        return load_topology(os.path.relpath(file)), None
    except InvalidFileError as error:
        return None, error


def _steps(words: Sequence[CheckWords], source: YamlSource, path: PathTo) -> tuple[Step, ...]:
    return tuple(_step(each, source, (*path, index)) for index, each in enumerate(words))


def _step(words: CheckWords, source: YamlSource, path: PathTo) -> Step:
    verb = words.verb
    arguments = words.arguments(verb)
    place = (*path, verb)
    steps: tuple[Step, ...] = ()
    checks: tuple[Step, ...] = ()
    match verb:
        case "parallel":
            steps = _steps(arguments, source, place)
        case "repeat":
            steps = _steps(arguments.steps, source, (*place, "steps"))
        case "always":
            steps = _steps(arguments.while_, source, (*place, "while"))
            checks = _steps(arguments.steps, source, (*place, "steps"))
        case "eventually":
            steps = (_step(arguments, source, place),)
    line, column = source.locate(place, at_key=True)
    return Step(
        verb=verb,
        words=arguments,
        written=_written(source.data, place),
        text=describe(verb, arguments),
        line=line,
        column=column,
        goes_on=isinstance(words, StepWords) and bool(words.continue_),
        steps=steps,
        checks=checks,
    )


def _written(data: Any, path: PathTo) -> Mapping[str, Any]:
    """What stands there, where it is a mapping. A list of one may be written without brackets."""
    for step in path:
        if isinstance(data, dict):
            data = data.get(step) if step in data or not isinstance(step, int) else data
        elif isinstance(data, list) and isinstance(step, int):
            data = data[step]
        else:
            return {}
    return data if isinstance(data, dict) else {}


def _planned(words: PlannedFaultWords) -> PlannedFault:
    kind = words.kind
    arguments = getattr(words, kind)
    options: dict[str, Any] = {}
    subject: tuple[str, ...]
    if kind in LINK_KINDS:
        subject = tuple(map(endpoint_text, arguments.link))
    elif kind in NODE_KINDS:
        subject = (arguments.node,)
    elif kind == "isolate":
        subject = tuple(map(", ".join, arguments.between))
    else:
        options = dict(arguments)
        ends = ("from_", "to") if kind == "drop" else ("to", "port")
        subject = tuple(str(options.pop(end)) for end in ends)
    given = ((key.rstrip("_"), value) for key, value in options.items() if _is_given(value))
    return PlannedFault(words.at, kind, subject, words.lasting, tuple(sorted(given)))


def _is_given(value: object) -> bool:
    return value is not None and value is not False


def _budget(words: ExploreWords | None) -> ExploreBudget | None:
    if words is None:
        return None
    faults = words.faults
    links = tuple((endpoint_text(a), endpoint_text(b)) for a, b in faults.links or [])
    nodes = tuple(faults.nodes or ())
    fitting = [kind for kind in FAULT_KINDS if (links if kind in LINK_KINDS else nodes)]
    return ExploreBudget(
        links=links,
        nodes=nodes,
        kinds=tuple(faults.kinds or fitting),
        at_most=faults.at_most or _DEFAULT_FAULTS,
        lasting_ns=faults.lasting or _DEFAULT_LASTING_NS,
    )
