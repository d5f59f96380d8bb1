"""`netsim link`: show or change a link of a running network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from netsim.cli import options
from netsim.cli.completion import node_names, peer_names
from netsim.cli.link_options import check_word
from netsim.cli.text import print_json, print_table
from netsim.control.control_client import ControlClient
from netsim.control.state_directory import find

Document = dict[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])

_WORDS: Final = (
    "delay",
    "jitter",
    "loss",
    "duplicate",
    "reorder",
    "corrupt",
    "bandwidth",
    "queue",
)
_VERBS: Final = ("down", "up", "hold", "release", "reset")
_SHOWN: Final = ("state", *_WORDS, "mtu")


def _word(name: str, metavar: str, text: str) -> Callable[[Command], Command]:
    return click.option(f"--{name}", metavar=metavar, callback=check_word, help=text)


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim link r1 r2\n"
    "  netsim link r1 r2 --delay 80ms --loss 5%\n"
    "  netsim link r1 r2 --bandwidth 1mbit --from r1\n"
    "  netsim link r1 r2 --down\n"
    "  netsim link r1 r2 --flap 2s --times 5\n"
    "  netsim link r1:eth2 r2 --reset",
)
@_word("delay", "TIME", "Time on the cable, one way.")
@_word("jitter", "TIME", "The delay varies by up to this.")
@_word("loss", "PERCENT", "Frames that are lost.")
@_word("duplicate", "PERCENT", "Frames that are delivered twice.")
@_word("reorder", "PERCENT", "Frames that overtake others.")
@_word("corrupt", "PERCENT", "Frames with one bit of their packet flipped.")
@_word("bandwidth", "RATE", "How fast bits are put on the cable.")
@_word("queue", "LIMIT", "What may wait for it, in packets or bytes.")
@click.option("--down", is_flag=True, help="Take the carrier away.")
@click.option("--up", is_flag=True, help="Give it back.")
@click.option("--hold", is_flag=True, help="Let frames wait; none is lost.")
@click.option("--release", is_flag=True, help="Let them go on.")
@click.option("--reset", is_flag=True, help="Make it what it is in the file.")
@click.option(
    "--flap", metavar="PERIOD", callback=check_word, help="Take it down and up each PERIOD."
)
@click.option(
    "--times",
    metavar="N",
    type=click.IntRange(1),
    help="How often it flaps; without, until --up, --down or --reset.",
)
@click.option(
    "--from",
    "from_",
    metavar="NODE",
    shell_complete=node_names,
    help="Change only the direction that leaves NODE.",
)
@options.as_json
@options.network_name
@click.argument("a", metavar="NODE", shell_complete=node_names)
@click.argument("b", metavar="NODE", shell_complete=peer_names)
def command(a: str, b: str, as_json: bool, name: str | None, **asked: Any) -> None:
    """Change the link between two nodes while it runs; without options, show it.

    Only what is named changes, at both ends at the same moment. Write NODE:INTERFACE where two
    nodes have several links.
    """
    order = _order(**asked)
    client = ControlClient(find(name))
    document = client.change_link(a, b, order) if order else client.link(a, b)
    if as_json:
        print_json(document)
    elif order:
        _show_changes(_seen_from(a, document))
    else:
        _show(_seen_from(a, document))


def _order(
    flap: str | None,
    times: int | None,
    from_: str | None,
    **others: Any,
) -> Document:
    """The one thing that is asked for, as the control API takes it; nothing to show the link."""
    changes = {word: others[word] for word in _WORDS if others[word] is not None}
    asked = [verb for verb in _VERBS if others[verb]]
    asked += ["flap"] if flap is not None else []
    asked += list(changes)[:1]
    if len(asked) > 1:
        raise click.UsageError(f"either --{asked[0]} or --{asked[1]}, not both at once")
    if times is not None and flap is None:
        raise click.UsageError("--times belongs to --flap PERIOD")
    if from_ is not None and not changes:
        raise click.UsageError("--from belongs to what one direction has, as --delay")
    if changes:
        return {"set": changes} | ({} if from_ is None else {"from": from_})
    if flap is not None:
        return {"flap": {"period": flap} | ({} if times is None else {"times": times})}
    return dict.fromkeys(asked, True)


# Shown to a person ----------------------------------------------------------------------------


def _show(document: Document) -> None:
    rows = []
    for direction, ends in zip(document["now"], _ends(document["link"]), strict=True):
        facts = _facts(direction)
        rows.append((*ends, *(facts[word] for word in _SHOWN)))
    print_table(("FROM", "TO", *(word.upper() for word in _SHOWN)), rows)
    _show_notice(document["link"], document["now"])


def _show_changes(document: Document) -> None:
    there, back = (
        [f"{word} {old[word]} → {new[word]}" for word in _SHOWN if old[word] != new[word]]
        for old, new in zip(
            map(_facts, document["before"]), map(_facts, document["after"]), strict=True
        )
    )
    (a, b), _ = _ends(document["link"])
    if there == back:
        rows = [(f"{a} – {b}", there or ["is as it was"])]
    else:
        rows = [(f"{a} → {b}", there), (f"{b} → {a}", back)]
    for ends, changes in rows:
        if changes:
            click.echo(f"{ends}  {', '.join(changes)}")
    _show_notice(document["link"], document["after"])


def _show_notice(link: Document, directions: list[Document]) -> None:
    """What the conditions of the link do not show."""
    if not link["up"] and all(direction["up"] for direction in directions):
        click.echo("it has no carrier while a node at its end is down")


def _seen_from(end: str, document: Document) -> Document:
    """The document with the end that was named first as the first."""
    link = document["link"]
    if link["a"]["node"] == end.partition(":")[0]:
        return document
    turned = {when: document[when][::-1] for when in document if when != "link"}
    return {"link": link | {"a": link["b"], "b": link["a"]}, **turned}


def _ends(link: Document) -> list[tuple[str, str]]:
    """From where to where, of both directions."""
    a, b = (f"{link[end]['node']}:{link[end]['interface']}" for end in ("a", "b"))
    return [(a, b), (b, a)]


def _facts(direction: Document) -> dict[str, str]:
    """The words for a person: one state instead of three booleans."""
    state = "up" if direction["up"] else "down"
    state += ", held" if direction["held"] else ""
    state += ", flapping" if direction["flaps"] else ""
    return {word: _text((direction | {"state": state})[word]) for word in _SHOWN}


def _text(value: Any) -> str:
    match value:
        case None:
            return "unlimited"
        case {"gilbert_elliott": chances}:
            return f"bursts {chances['p']}/{chances['r']}"
    return str(value)
