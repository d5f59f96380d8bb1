"""`netsim validate`: the checks of `up`, starting nothing."""

from __future__ import annotations

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
            for problem in verdict["problems"]:
                say(str(Problem(**problem)), err=True)
            if verdict["more"]:
                say(f"{printable(verdict['file'])}: and {verdict['more']:,} more", err=True)
    return FINE if all(verdict["ok"] for verdict in verdicts) else MISUSED


def _check(file: str) -> dict[str, Any]:
    try:
        return {"file": file, "ok": True, **_facts(file), "problems": [], "more": 0}
    except InvalidFileError as error:
        problems = [
            {"file": each.file, "line": each.line, "column": each.column, "message": each.message}
            for each in error.problems
        ]
        return {"file": file, "ok": False, "problems": problems, "more": error.more}


def _facts(file: str) -> dict[str, Any]:
    """What is in a file that is fine; InvalidFileError."""
    from netsim.control.preflight import check_programs_and_ports
    from netsim.topology.check_topology import is_scenario
    from netsim.topology.load_topology import load_plan  # pydantic takes a while
    from netsim.topology.yaml_source import read_yaml

    if is_scenario(read_yaml(file, tolerant=True).data):
        from netsim.scenario.load_scenario import load_scenario

        scenario = load_scenario(file)
        layout = scenario.topology.layout
        return {
            "name": scenario.name,
            "nodes": len(layout.nodes),
            "links": len(layout.links),
            "steps": len(scenario.steps),
        }
    plan = load_plan(file)
    check_programs_and_ports(file, plan)
    return {"name": plan.name, "nodes": len(plan.nodes), "links": len(plan.links)}
