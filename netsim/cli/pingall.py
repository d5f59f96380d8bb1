"""`netsim pingall`: who reaches whom."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from netsim.cli import options
from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say, warn_of_timing
from netsim.cli.progress import ProgressBar
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient

Document = dict[str, Any]


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim pingall\n"
    "  netsim pingall --full\n"
    "  netsim pingall --routers --timeout 5\n"
    "  netsim pingall --json | jq '.pings[] | select(.rtt_ms == null)'",
)
@click.option("--routers", is_flag=True, help="Ping from and to routers as well.")
@click.option("--full", is_flag=True, help="Show each round trip.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0.001, 3600),
    default=2.0,
    show_default=True,
    help="How long to wait for each answer.",
)
@options.as_json
@options.network_name
def command(routers: bool, full: bool, timeout: float, as_json: bool, name: str | None) -> int:
    """Ping from every computer to every other one, once.

    A row for each computer says whom it reaches; X stands for one it does not. The exit code is
    1 when a ping was not answered.
    """
    client = ControlClient(find(name))
    pings: list[Document] = []
    totals: Document = {}
    with closing(ProgressBar("pinging")) as bar:
        for line in client.ping_all(routers=routers, timeout=timeout):
            if "of" in line:
                total = line.pop("of")
                pings.append(line)
                bar.show(len(pings), total)
            else:
                totals = line
    position = {node: index for index, node in enumerate(totals["nodes"])}
    pings.sort(key=lambda ping: (position[ping["from"]], position[ping["to"]]))
    if as_json:
        nodes = totals.pop("nodes")
        print_json({"nodes": nodes, "pings": pings, **totals})
    else:
        _show(totals, pings, full)
    warn_of_timing(totals["timing"])
    return FINE if totals["received"] == totals["sent"] else FAILED


def _show(totals: Document, pings: list[Document], full: bool) -> None:
    """Row by row as Mininet prints it; then the totals, which scripts look for."""
    say("*** Ping: who reaches whom")
    width = max(map(len, totals["nodes"]), default=0)
    for node in totals["nodes"]:
        cells = [_cell(ping) for ping in pings if ping["from"] == node]
        if cells or len(totals["nodes"]) == 1:  # one that is attached to a TAP pings nobody
            click.echo(f"{node:{width}} -> {' '.join(cells)}")
    if not totals["sent"]:
        say("*** Warning: there is only one node, and so nothing to ping")
        return
    for ping in pings if full else ():
        answer = "no answer" if ping["rtt_ms"] is None else f"rtt {ping['rtt_ms']:.3f} ms"
        click.echo(f" {ping['from']}->{ping['to']}: {answer}")
    times = [ping["rtt_ms"] for ping in pings if ping["rtt_ms"] is not None]
    if times:
        average = sum(times) / len(times)
        values = f"{min(times):.3f}/{average:.3f}/{max(times):.3f}"
        say(f"*** Round trips: min/avg/max = {values} ms")
    percent, counts = totals["dropped_percent"], f"{totals['received']}/{totals['sent']}"
    say(
        f"*** Results: {percent:.3g}% dropped ({counts} received)",
        fg="red" if percent else "green",
    )


def _cell(ping: Document) -> str:
    return click.style("X", fg="red") if ping["rtt_ms"] is None else str(ping["to"])
