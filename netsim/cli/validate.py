"""`netsim validate`: the checks of `up`, starting nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import click

from netsim.cli import options
from netsim.cli.outcome import FINE, MISUSED
from netsim.cli.printing import counted, print_json, say
from netsim.core.errors import InvalidFileError, Problem
from netsim.core.printable import printable

_SIZES: Final = ("step", "node", "link")


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim validate topologies/campus.yaml\n"
    "  netsim validate topologies/*.yaml --json",
)
@options.as_json
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
def command(as_json: bool, files: tuple[str, ...]) -> int:
    """Check topology and scenario files; nothing starts.

    `-` is standard input.

    Every mistake is printed as FILE:LINE:COLUMN: what is wrong; what to write instead.
    """
    verdicts = [_check(file) for file in files]
    if as_json:
        print_json(verdicts)
    else:
        for verdict in verdicts:
            if verdict["ok"]:
                sizes = [
                    counted(verdict[f"{each}s"], each) for each in _SIZES if f"{each}s" in verdict
                ]
                say(f"{printable(verdict['file'])}: ok, {', '.join(sizes)}")
            for warning in verdict["warnings"]:
                say(Problem(**warning).as_warning(), err=True)
            for problem in verdict["problems"]:
                say(str(Problem(**problem)), err=True)
            if verdict["more"]:
                say(f"{printable(verdict['file'])}: and {verdict['more']:,} more", err=True)
    return FINE if all(verdict["ok"] for verdict in verdicts) else MISUSED


def _check(file: str) -> dict[str, Any]:
    try:
        facts, warnings = _facts(file)
    except InvalidFileError as error:
        problems = [asdict(each) for each in error.problems]
        found = {"problems": problems, "warnings": [], "more": error.more}
        return {"file": file, "ok": False, **found}
    found = {"problems": [], "warnings": [asdict(each) for each in warnings], "more": 0}
    return {"file": file, "ok": True, **facts, **found}


def _facts(file: str) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """What is in a file that is fine, with what is doubtful in it; InvalidFileError."""
    from netsim.control.preflight import check_programs_and_ports, with_mistakes_of_programs
    from netsim.topology.check_topology import is_scenario
    from netsim.topology.load_topology import load_topology  # pydantic takes a while
    from netsim.topology.make_plan import make_plan
    from netsim.topology.yaml_source import read_yaml

    source = read_yaml(file, tolerant=True)
    if is_scenario(source.data):
        from netsim.scenario.load_scenario import load_scenario

        scenario = load_scenario(file, source)
        layout = scenario.topology.layout
        facts = {
            "name": scenario.name,
            "nodes": len(layout.nodes),
            "links": len(layout.links),
            "steps": len(scenario.steps),
        }
        return facts, scenario.topology.warnings
    try:
        plan = make_plan(load_topology(file, source))
    except InvalidFileError as error:
        raise with_mistakes_of_programs(error, file, source) from None
    check_programs_and_ports(file, plan, source)
    facts = {"name": plan.name, "nodes": len(plan.nodes), "links": len(plan.links)}
    return facts, plan.warnings
