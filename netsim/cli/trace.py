"""`netsim trace`: one request as a ladder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import find

_IN_A_PIPE: Final = 100
"""Columns."""


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim trace alice http://web/ip\n"
    "  netsim trace alice http://web/ --svg request.svg\n"
    "  netsim trace alice http://web/ --json | jq .spent",
)
@click.option("--svg", metavar="FILE", type=click.Path(), help="Draw it, too.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0.001, 3600),
    default=30.0,
    show_default=True,
    help="How long to wait for the whole reply.",
)
@options.as_json
@options.network_name
@click.argument("node", shell_complete=node_names)
@click.argument("url")
def command(
    svg: str | None, timeout: float, as_json: bool, name: str | None, node: str, url: str
) -> int:
    """Have NODE ask for URL, and show every packet on every hop, and where the time went.

    The exit code is 1 when there was no whole reply; any status is one.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _IN_A_PIPE
    client = ControlClient(find(name))
    trace = client.trace(node, url, timeout=timeout, width=width, is_unicode=_shows_unicode())
    if svg is not None:
        Path(svg).write_text(trace["svg"], encoding="utf-8")
    if as_json:
        print_json({key: trace[key] for key in trace if key not in ("text", "svg")})
    else:
        _show(trace["text"], trace["untrusted"])
    return FAILED if trace["failure"] else FINE


def _shows_unicode() -> bool:
    try:
        "│─●▶█".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _show(text: str, warning: str) -> None:
    for line in text.rstrip("\n").split("\n"):
        is_bad = "✗" in line or " lost: " in line
        is_head = line.startswith(("GET ", "Where ", "── "))
        colour = "red" if is_bad else "yellow" if line == warning else None
        say(line, fg=colour, bold=is_head)
