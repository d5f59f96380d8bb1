"""`netsim trace`: one request as a ladder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import find

_IN_A_PIPE: Final = 100
"""Columns."""
_MOST_REDIRECTS: Final = 10


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim trace alice http://web/ip\n"
    "  netsim trace alice http://web/ --svg request.svg\n"
    "  netsim trace alice -L http://web/redirect/2\n"
    "  netsim trace alice http://web/ --json | jq .spent",
)
@click.option("-L", "--location", "follows", is_flag=True, help="Trace what redirects lead to.")
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
    follows: bool,
    svg: str | None,
    timeout: float,
    as_json: bool,
    name: str | None,
    node: str,
    url: str,
) -> int:
    """Have NODE ask for URL, and show every packet on every hop, and where the time went.

    With -L each request of a chain of redirects has a ladder of its own; --svg draws the last.
    The exit code is 1 when there was no whole reply; any status is one.
    """
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _IN_A_PIPE
    client = ControlClient(find(name))
    for number in range(_MOST_REDIRECTS + 1):
        trace = client.trace(node, url, timeout=timeout, width=width, is_unicode=_shows_unicode())
        if svg is not None:
            Path(svg).write_text(trace["svg"], encoding="utf-8")
        _print(trace, as_json, is_first=number == 0)
        if not (follows and trace["location"]):
            break
        url = urljoin(url, trace["location"])
    else:
        say(f"netsim: more than {_MOST_REDIRECTS} redirects; the next leads to {url}", err=True)
        return FAILED
    return FAILED if trace["failure"] else FINE


def _print(trace: dict[str, Any], as_json: bool, *, is_first: bool) -> None:
    if as_json:
        print_json({key: trace[key] for key in trace if key not in ("text", "svg")})
        return
    if not is_first:
        say()
    _show(trace["text"], trace["untrusted"])


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
