"""`netsim link`: show or change a link of a running network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from netsim.cli import options
from netsim.cli.completion import node_names, peer_names
from netsim.cli.link_tables import seen_from, show_changes, show_link, show_links
from netsim.cli.outcome import FAILED, FINE
from netsim.cli.printing import print_json, say
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient, ControlError
from netsim.core.attribute import Attribute
from netsim.core.errors import InvalidFileError
from netsim.core.link_attributes import LINK_ATTRIBUTES, LinkAttributes
from netsim.core.units import DURATION

Document = dict[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])

_CHANGING: Final = tuple(each for each in LINK_ATTRIBUTES if each.can_change)
_ANY_LINK: Final = LinkAttributes(mtu=68)
"""With which no queue is too small: the supervisor knows the link."""
_VERBS: Final = ("down", "up", "hold", "release", "reset")


def _checked(parse: Callable[[object], object]) -> Callable[..., str | None]:
    """A callback: what was written stays, BadParameter says what to write instead."""

    def check(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
        if value is not None:
            try:
                parse(value)
            except ValueError as error:
                raise click.BadParameter(str(error)) from None
        return value

    return check


def _checked_value(attribute: Attribute) -> Callable[..., Any]:
    """A callback: the value as a file has it, whose long forms are YAML: `{fq_codel: {}}`."""

    def check(_context: click.Context, _option: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            if not value.startswith("{"):
                attribute.quantity.parse(value)
                return value
            from netsim.topology.link_changes import (
                changed_attributes,
            )  # pydantic is slow to import
            from netsim.topology.yaml_source import parse_yaml

            written = parse_yaml(value, f"--{attribute.word}").data
            if "file" in written:  # the supervisor is in another directory
                written["file"] = str(Path(str(written["file"])).absolute())
            changed_attributes({attribute.word: written}, _ANY_LINK)
        except (ValueError, InvalidFileError) as error:
            raise click.BadParameter(str(error)) from None
        return written

    return check


def _parse_period(text: object) -> int:
    period_ns = DURATION.parse(text)
    if period_ns == 0:
        raise ValueError("a period of 0 is none; write for example `2s`")
    return int(period_ns)


def _attribute_options(command: Command) -> Command:
    """An option for each attribute that can change."""
    for each in reversed(_CHANGING):
        option = click.option(
            f"--{each.word}",
            metavar=each.quantity.metavar,
            callback=_checked_value(each),
            help=each.help,
        )
        command = option(command)
    return command


@click.command(
    # One word too many is answered with what to write instead.
    context_settings={"allow_extra_args": True},
    epilog="\b\nExamples:\n"
    "  netsim link\n"
    "  netsim link r1 r2\n"
    "  netsim link r1 r2 --delay 80ms --loss 5%\n"
    "  netsim link r1 r2 --bandwidth 1mbit --from r1\n"
    "  netsim link r1 r2 --queue '{fq_codel: {target: 5ms}}'\n"
    "  netsim link r1 r2 --down\n"
    "  netsim link r1 r2 --flap 2s --times 5\n"
    "  netsim link r1:eth2 r2 --reset\n"
    "  netsim link --reset --all",
)
@_attribute_options
@click.option("--down", is_flag=True, help="Take the carrier away.")
@click.option("--up", is_flag=True, help="Give it back.")
@click.option("--hold", is_flag=True, help="Let frames wait; none is lost.")
@click.option("--release", is_flag=True, help="Let them go on.")
@click.option("--reset", is_flag=True, help="Make it what it is in the file.")
@click.option(
    "--flap",
    metavar="PERIOD",
    callback=_checked(_parse_period),
    help="Take it down and up each PERIOD.",
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
@click.option("--all", "every", is_flag=True, help="With --reset: every link that was changed.")
@options.as_json
@options.network_name
@click.argument("a", metavar="NODE", required=False, shell_complete=node_names)
@click.argument("b", metavar="NODE", required=False, shell_complete=peer_names)
def command(
    a: str | None, b: str | None, every: bool, as_json: bool, name: str | None, **asked: Any
) -> int:
    """Change the link between two nodes while it runs; without options, show it.

    Without nodes, list all links, and what of them is not as in the file. Only what is named
    changes, at both ends at the same moment. Write NODE:INTERFACE where two nodes have several
    links.
    """
    if beyond := click.get_current_context().args:
        raise click.UsageError(_instead(str(a), str(b), beyond))
    order = _order(**asked)
    if every and (order != {"reset": True} or a is not None):
        raise click.UsageError("--all is for `--reset --all`, without nodes")
    if not every and (b is None) != (a is None and not order):
        raise click.UsageError("a link has two ends: write NODE NODE")
    client = ControlClient(find(name))
    if every:
        return _reset_all(client, as_json)
    if a is None or b is None:
        links = client.links()
        print_json(links) if as_json else show_links(links)
    else:
        document = client.change_link(a, b, order) if order else client.link(a, b)
        if as_json:
            print_json(document)
        elif order:
            show_changes(seen_from(a, document))
        else:
            show_link(seen_from(a, document))
    return FINE


def _reset_all(client: ControlClient, as_json: bool) -> int:
    """One after the other; all are tried although one may fail. Returns the exit code."""
    changed = [link for link in client.links() if link["changes"] or link["flaps"]]
    documents = []
    failures = []
    for link in changed:
        a, b = (f"{link[end]['node']}:{link[end]['interface']}" for end in ("a", "b"))
        try:
            documents.append(client.change_link(a, b, {"reset": True}))
        except (ControlError, TimeoutError) as error:
            failures.append(f"{a} – {b}: {error}")
    if as_json:
        print_json(documents)
    else:
        for document in documents:
            show_changes(document)
        if not changed:
            say("every link is as in the file")
    for failure in failures:
        say(failure, err=True, fg="red")
    return FAILED if failures else FINE


def _instead(a: str, b: str, beyond: list[str]) -> str:
    """What to write for Mininet's `link r1 r2 down` and tc's `delay 80ms`."""
    if a in _VERBS:
        a, b, *beyond = b, *beyond, a
    verb, value = beyond[0], beyond[1] if len(beyond) > 1 else None
    words = {each.word: each for each in _CHANGING}
    words |= {name: each for each in _CHANGING for name in each.elsewhere}
    if verb in _VERBS:
        option = f"--{verb}"
    elif verb in words:
        option = f"--{words[verb].word} {_value_or_example(words[verb], value)}"
    else:
        return f"`{verb}` is one word too many; a link is named by its two ends"
    return f"`{verb}` is an option here; write `link {a} {b} {option}`"


def _value_or_example(attribute: Attribute, value: str | None) -> str:
    """Mininet writes `bw 10`, without a unit."""
    try:
        attribute.quantity.parse(value)
    except ValueError:
        return attribute.example or attribute.quantity.metavar
    return str(value)


def _order(
    flap: str | None,
    times: int | None,
    from_: str | None,
    **others: Any,
) -> Document:
    """The one thing that is asked for, as the control API takes it; nothing to show the link."""
    changes = {each.word: value for each in _CHANGING if (value := others[each.word]) is not None}
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
