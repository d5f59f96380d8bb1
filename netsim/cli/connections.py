"""`netsim connections`: have connections to a service go wrong."""

from __future__ import annotations

from typing import Any, Final

import click

from netsim.cli import options
from netsim.cli.completion import node_names
from netsim.cli.printing import print_in_force
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient

_WORDS: Final = {
    "reset": ("after", False),
    "cut": ("after", True),
    "stall": ("", False),
    "slow-close": ("delay", True),
    "refuse": ("first", False),
}
"""The option that each takes, and whether it is needed."""


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim connections web:80 reset\n"
    "  netsim connections web:80 cut --after 64KiB --from alice\n"
    "  netsim connections web:80 slow-close --delay 5s\n"
    "  netsim connections web:80 refuse --first 3",
)
@click.option("--after", metavar="SIZE", help="reset, cut: when the service has sent so much.")
@click.option("--delay", metavar="TIME", help="slow-close: how much longer it takes.")
@click.option("--first", type=int, metavar="N", help="refuse: so many, and then no more.")
@click.option(
    "--from", "source", metavar="NODE", shell_complete=node_names, help="Only those from there."
)
@options.as_json
@options.network_name
@click.argument("service", metavar="NODE:PORT", shell_complete=node_names)
@click.argument("verb", type=click.Choice(list(_WORDS)))
def command(
    after: str | None,
    delay: str | None,
    first: int | None,
    source: str | None,
    as_json: bool,
    name: str | None,
    service: str,
    verb: str,
) -> None:
    """Reset, cut, stall, close late or refuse the TCP connections to a service.

    Those that are open, and those that come while it is in force. reset without --after resets the
    open ones, once. What is in force is printed; netsim repair ends it.
    """
    node, _, port = service.rpartition(":")
    if not node or not (port.isascii() and port.isdecimal() and len(port) < 6):
        raise click.UsageError(f"`{service}` is no service; write NODE:PORT, as web:80")
    given = {"after": after, "delay": delay, "first": first}
    words = {word: value for word, value in given.items() if value is not None}
    wanted, is_needed = _WORDS[verb]
    for word in words:
        if word != wanted:
            raise click.UsageError(f"{verb} takes no --{word}")
    if is_needed and not words:
        raise click.UsageError(f"{verb} needs --{wanted}")
    order: dict[str, Any] = {"to": node, "port": int(port), verb.replace("-", "_"): words or True}
    if source is not None:
        order["from"] = source
    print_in_force(ControlClient(find(name)).spoil_traffic("connections", order), as_json)
