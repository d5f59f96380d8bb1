"""The scenario file that a search for faults leaves: the old one, with the faults that break it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any, Final

from netsim.core.errors import Problem
from netsim.core.units import format_duration
from netsim.scenario.explore import Exploration
from netsim.scenario.scenario_model import LINK_KINDS, NODE_KINDS, PlannedFault, Scenario, Step
from netsim.scenario.scenario_modules import missing_module
from netsim.scenario.yaml_edits import YamlEdits

_PLACE: Final = "topology"
"""New entries stand after this one, which every scenario has."""


def default_file(scenario: Scenario) -> str:
    """`NAME.found.yaml` beside the scenario's file, as that was named."""
    return os.fspath(Path(scenario.file).with_suffix(".found.yaml"))


def unmovable(scenario: Scenario, folder: Path) -> list[Problem]:
    """What a file in another folder would not find: modules beside the scenario's file."""
    return [
        Problem(
            scenario.file,
            step.line,
            step.column,
            f"`{step.words.call}` is looked up beside the file; `--write` into its folder",
        )
        for step in _all_steps((*scenario.steps, *scenario.invariants, *scenario.sometimes))
        if step.verb == "run" and missing_module(step.words.call, folder) is not None
    ]


def found_text(scenario: Scenario, exploration: Exploration, folder: Path) -> str:
    """The text of a file in `folder` that fails as the search has seen it, by itself."""
    old = scenario.folder / Path(scenario.file).name
    edits = YamlEdits(old.read_text(encoding="utf-8-sig"))
    count = len(exploration.faults)
    faults = f"{count} fault" if count == 1 else f"{count} faults"
    edits.put("name", f"{scenario.name}, with {faults}", after=_PLACE)
    if folder != scenario.folder:
        moved = os.path.relpath(scenario.folder / scenario.sources["topology"], folder)
        edits.put("topology", moved, after=_PLACE)
        for writing in ("capture", "record"):
            edits.change_scalars(
                writing, "to", lambda path: os.path.relpath(scenario.folder / path, folder)
            )
    edits.put("time", "virtual", after=_PLACE)
    edits.put("seed", exploration.seed, after=_PLACE)
    limits = dict(scenario.sources.get("limits") or {})
    limits.setdefault("time", format_duration(exploration.limit_ns))
    edits.put("limits", limits, after=_PLACE)
    edits.put_list("faults", [_written(fault) for fault in exploration.faults], after=_PLACE)
    edits.remove("explore")
    return f"{_heading(scenario, exploration, folder)}\n{edits.result()}"


def fault_lines(exploration: Exploration) -> list[str]:
    """The faults in words, one a line: what, from when to when."""
    return [
        f"{fault.kind:<5} {fault.place}, from {format_duration(fault.at_ns)} "
        f"to {format_duration(fault.healed_ns)}"
        for fault in exploration.faults
    ]


def _heading(scenario: Scenario, exploration: Exploration, folder: Path) -> str:
    origin = shlex.quote(os.path.relpath(scenario.folder / Path(scenario.file).name, folder))
    lines = [f"Found by `netsim test --explore {origin} --seed {exploration.seed}`:"]
    lines += fault_lines(exploration)
    assert exploration.result is not None
    for step in exploration.result.failures[:1]:
        lines += [f"{step.role} {step.text}, at {format_duration(round(step.ended_ns, -6))}:"]
        lines += [f"  expected {step.expected}", f"  seen     {step.seen}"]
    return "".join(f"# {line}\n" for text in lines for line in text.splitlines())


def _written(fault: PlannedFault) -> dict[str, Any]:
    words: dict[str, Any]
    if fault.kind in LINK_KINDS:
        words = {"link": list(fault.subject)}
    elif fault.kind in NODE_KINDS:
        words = {"node": fault.subject[0]}
    elif fault.kind == "isolate":
        words = {"between": [group.split(", ") for group in fault.subject]}
    elif fault.kind == "drop":
        words = {"from": fault.subject[0], "to": fault.subject[1]}
    else:
        words = {"to": fault.subject[0], "port": int(fault.subject[1])}
    for option, value in fault.options:
        words[option] = value
        if option == "after":
            words[option] = f"{value}B"
        elif option == "delay":
            words[option] = format_duration(value)
    at, lasting = format_duration(fault.at_ns), format_duration(fault.lasting_ns)
    return {fault.kind: words, "at": at, "lasting": lasting}


def _all_steps(steps: tuple[Step, ...]) -> list[Step]:
    return [
        inner
        for step in steps
        for inner in (step, *_all_steps(step.steps), *_all_steps(step.checks))
    ]
