"""Who watches `netsim up`: a person at a terminal, a pipe, a program, a log file."""

from __future__ import annotations

import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from netsim.cli.fact_tables import failed_programs, not_responding, show_nodes
from netsim.cli.printing import counted, print_json, print_json_line, say
from netsim.cli.progress import ProgressBar
from netsim.core.printable import printable

_STYLES = {
    "node-died": "red",
    "program-failed": "red",
    "node-started": "green",
    "error": "red",
    "carrier": "yellow",
    "routes": "cyan",
    "timing": "yellow",
}


class Terminal:
    """A person: progress on a terminal, then tables, then a line for each event."""

    def __init__(self, farewell: str) -> None:
        self._farewell = farewell
        """How to take the network down."""
        self._started = time.monotonic()
        self._bar = ProgressBar("starting nodes")

    def progress(self, ready: int, total: int) -> None:
        """Move the bar."""
        self._bar.show(ready, total)

    def warned(self, text: str) -> None:
        """A line before the tables."""
        say(text, err=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._bar.close()

    def ready(self, network: dict[str, Any]) -> None:
        """Nodes, and what to paste into another terminal."""
        self.close()
        show_nodes(network)
        say()
        for port in network["ports"]:
            request = _request(port["listen"], network["ca"] if port.get("tls") else None)
            say(f"curl {request}    # enters at {port['node']}, goes to {port['to']}")
        for node in network["nodes"]:
            for failure in failed_programs(node):
                say(f"{node['name']}: {failure}", fg="red")
            if node["state"] == "not responding":
                say(not_responding(node), fg="red")
            if node["state"] == "dead":
                text = f"{node['name']}: has ended; netsim logs {node['name']} shows what it said"
                say(text, fg="red")
        if (control := network.get("control")) is not None:
            say(f"control API at {control['url']}, token {control['token']}")
            say(f"  (the token is in {control['token_file']}, too, and nowhere else)")
            if control["open_to_others"]:
                say("  other machines reach it, and what is said there is not encrypted", fg="red")
        size = f"{counted(len(network['nodes']), 'node')}, {counted(len(network['links']), 'link')}"
        seconds = time.monotonic() - self._started
        slow = network.get("speed", 1)
        pace = "" if slow == 1 else f" at speed {slow:g}"
        states = Counter(node["state"] for node in network["nodes"])
        bad = [
            f"{counted(states[state], 'node')} of it {state}"
            for state in ("not responding", "dead")
            if states[state]
        ]
        but = f", but {' and '.join(bad)}" if bad else ""
        say(f"{network['name']} is up{but}: {size} in {seconds:.1f} s{pace}; {self._farewell}")
        sys.stdout.flush()

    def event(self, event: dict[str, Any]) -> None:
        """`12.345 s  carrier  r1:eth0 carrier lost`."""
        kind = click.style(f"{event['kind']:9}", fg=_STYLES.get(event["kind"]))
        text = event["text"]
        if event["node"] and not _says_whose(event["kind"], text, event["node"]):
            text = f"{event['node']}: {text}"
        text = printable(text, "\t")
        click.echo(f"{event['time_ns'] / 1e9:10.3f} s  {kind}  {text}")
        sys.stdout.flush()

    def look_after(self, log: Path, announce: Callable[[str], None]) -> None:
        """A terminal keeps no log."""

    def down(self, name: str) -> None:
        """The last line."""
        self.close()
        _say_if_heard(f"{name} is down")


class JsonLines:
    """A program: one document when the network is up, then one line for each event."""

    def progress(self, ready: int, total: int) -> None:
        """Nothing."""

    def warned(self, text: str) -> None:
        """Not among the documents."""
        say(text, err=True)

    def ready(self, network: dict[str, Any]) -> None:
        """The document of `netsim inspect --json`, on one line: more lines may follow."""
        print_json_line(network)
        sys.stdout.flush()

    def event(self, event: dict[str, Any]) -> None:
        print_json_line(event)
        sys.stdout.flush()

    def look_after(self, log: Path, announce: Callable[[str], None]) -> None:
        """What is read has no bounds."""

    def down(self, name: str) -> None:
        """Nothing."""


class OneDocument(JsonLines):
    """A program that starts a detached network: it sees one document and no event."""

    def ready(self, network: dict[str, Any]) -> None:
        """The document of `netsim inspect --json`."""
        print_json(network)


def _says_whose(kind: str, text: str, node: str) -> bool:
    """Whether a text of ours names its node: "b:eth0 carrier lost" does.

    What programs log may have any words in it, and says whose it is at its beginning only.
    """
    find = re.search if kind == "notice" else re.match
    return find(rf"(?<![\w.-]){re.escape(node)}(?![\w-])", text) is not None


def _request(listen: str, ca: str | None) -> str:
    """What to tell curl; `ca` is a file with whom it has to trust, if any."""
    host, _, port = listen.rpartition(":")
    place = f"{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/"
    return f"http://{place}" if ca is None else f"--cacert {shlex.quote(ca)} https://{place}"


def _say_if_heard(text: str) -> None:
    """The network is down whether or not the terminal still is there to say so."""
    try:
        say(text)
        sys.stdout.flush()
    except OSError:
        return
