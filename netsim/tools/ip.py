"""`ip addr`, `ip link`, `ip route` and `ip neigh`, with the grammar of iproute2.

What is learned may be forgotten: `ip neigh flush` and `ip neigh del`. All else is only shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

from netsim.stack.host import Host
from netsim.stack.socket_errors import NoRouteError
from netsim.tools import ip_tables
from netsim.tools.context import Context
from netsim.tools.ip_tables import Entry
from netsim.wire.address import IpAddress, parse_ip

_OBJECTS: Final = ("address", "link", "route", "neighbour", "neighbor")
_CHANGES: Final = ("add", "append", "change", "del", "delete", "flush", "replace", "set")
_NO_CHANGE: Final = (
    "Addresses, links and routes come from the topology file: here they are shown, not changed."
)
_ONE_LINE: Final = '"ip -br addr" and "ip -br link" print a line for each interface'
_NOT_THERE: Final = {
    "-o": _ONE_LINE,
    "-oneline": _ONE_LINE,
}
"""Options of iproute2, with what to do instead."""
_SHOW: Final = ("show", "list", "lst")
_FORGETS: Final = ("flush", "del", "delete")
_USAGE: Final = f"""\
Usage: ip [ OPTIONS ] OBJECT [ show [ [ dev ] INTERFACE ] ]
       ip route get ADDRESS
       ip neighbour flush {{ all | ADDRESS | dev INTERFACE }}
       ip neighbour del ADDRESS dev INTERFACE
where  OBJECT := {{ address | link | route | neighbour }}, or shorter, as in "ip a";
       OPTIONS := {{ -4 | -6 | -br[ief] | -j[son] | -s[tatistics] }}.
{_NO_CHANGE}"""


class _UsageError(Exception):
    """What was asked for cannot be understood; the text goes to stderr."""


async def ip(argv: Sequence[str], context: Context) -> int:
    """Exit codes of iproute2: 1 unknown object or device, 2 no such route, 255 usage."""
    words = list(argv)
    as_json = context.json
    has_ipv4 = True
    is_brief = has_statistics = False
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option in ("-j", "-json", "--json"):
            as_json = True
        elif option in ("-br", "-brief", "--brief"):
            is_brief = True
        elif option in ("-s", "-stats", "-statistics", "--stats", "--statistics"):
            has_statistics = True
        elif option in ("-4", "-6"):
            has_ipv4 = option == "-4"
        elif option in ("-c", "-color", "--color", "-d", "-details", "--details"):
            continue  # no colours, and all details are there
        elif option in ("-h", "-help", "--help"):
            context.print_line(_USAGE)
            return 0
        elif option in _NOT_THERE:
            context.print_error(f'Option "{option}" is not there; {_NOT_THERE[option]}.')
            return 255
        else:
            context.print_error(f'Option "{option}" is unknown, try "ip -help".')
            return 255
    if not words or words[0] == "help":
        context.print_error(_USAGE)
        return 255
    try:
        return _show(
            words,
            context,
            has_ipv4=has_ipv4,
            is_brief=is_brief,
            has_statistics=has_statistics,
            as_json=as_json,
        )
    except _UsageError as error:
        context.print_error(str(error))
        return 1
    except NoRouteError:
        context.print_error("RTNETLINK answers: Network is unreachable")
        return 2


def _show(
    words: list[str],
    context: Context,
    *,
    has_ipv4: bool,
    is_brief: bool,
    has_statistics: bool,
    as_json: bool,
) -> int:
    host = context.host
    wanted = next((name for name in _OBJECTS if name.startswith(words[0])), None)
    to_lines: Callable[[Entry], list[str]]
    if wanted is None:
        raise _UsageError(f'Object "{words[0]}" is unknown, try "ip help".')
    if has_statistics and wanted not in ("address", "link"):
        raise _UsageError('"-s" is for "ip link" and "ip addr".')
    if wanted.startswith("neigh") and words[1:2] and words[1] in _FORGETS:
        return _forget(words[1], words[2:], context)
    if wanted == "route" and words[1:2] == ["get"]:
        table = [_route_get(host, words[2:])]
        to_lines = ip_tables.route_lines
    else:
        only_default = wanted == "route" and words[-1] == "default"
        device = _device(host, words[1:-1] if only_default else words[1:])
        if wanted == "address":
            table = ip_tables.addresses(host) if has_ipv4 else []
            key = "ifname"
            to_lines = ip_tables.brief_address_lines if is_brief else ip_tables.address_lines
        elif wanted == "link":
            table = ip_tables.links(host)
            key = "ifname"
            to_lines = ip_tables.brief_link_lines if is_brief else ip_tables.link_lines
        elif wanted == "route":
            table = ip_tables.routes(host) if has_ipv4 else []
            if only_default:
                table = [entry for entry in table if entry["dst"] == "default"]
            key, to_lines = "dev", ip_tables.route_lines
        else:
            now = context.loop.network_now()
            table = ip_tables.neighbours(host, now) if has_ipv4 else []
            key, to_lines = "dev", ip_tables.neighbour_lines
        if has_statistics:
            table = ip_tables.with_statistics(table, host, context.ports)
        table = [entry for entry in table if device in (None, *_devices(entry, key))]
    if as_json:
        context.print_line(json.dumps(table))
    else:
        for entry in table:
            for line in to_lines(entry):
                context.print_line(line)
            if has_statistics and not is_brief:
                for line in ip_tables.statistics_lines(entry["stats64"]):
                    context.print_line(line)
    return 0


def _forget(verb: str, words: list[str], context: Context) -> int:
    """`neigh flush` and `neigh del`; 2 where there is no such entry to delete."""
    host = context.host
    if not words:
        if verb == "flush":
            raise _UsageError("Flush requires arguments.")
        raise _UsageError("Device and destination are required arguments.")
    rest = [word for word in words if word not in ("all", "to")] if verb == "flush" else words
    device = address = None
    while rest:
        word = rest.pop(0)
        if word == "dev":
            device = _device(host, ["dev", *rest[:1]])
            del rest[:1]
        elif word != "to":
            address = _address(word)
    if verb != "flush" and (device is None or address is None):
        raise _UsageError("Device and destination are required arguments.")
    found = [
        (cache, entry.address)
        for interface, cache in zip(host.interfaces, host.neighbours, strict=True)
        for entry in cache.entries()
        if device in (None, interface.name) and address in (None, entry.address)
    ]
    if verb != "flush" and not found:
        context.print_error("RTNETLINK answers: No such file or directory")
        return 2
    for cache, known in found:
        cache.forget(known)
    return 0


def _address(text: str) -> IpAddress:
    try:
        return parse_ip(text)
    except ValueError:
        raise _UsageError(f'Error: any valid address is expected rather than "{text}".') from None


def _devices(entry: Entry, key: str) -> list[str]:
    """Where an entry belongs: a route may have several next hops."""
    hops = entry.get("nexthops")
    return [entry[key]] if hops is None else [hop["dev"] for hop in hops]


def _device(host: Host, words: list[str]) -> str | None:
    """The interface that is asked for: `[show] [[dev] INTERFACE]`."""
    rest = list(words)
    if rest and any(word.startswith(rest[0]) for word in _SHOW):
        rest.pop(0)
    if rest and rest[0] == "dev":
        rest.pop(0)
        if not rest:
            raise _UsageError('Command line is not complete. Try option "help"')
    if not rest:
        return None
    device, *beyond = rest
    if device in _CHANGES:
        raise _UsageError(_NO_CHANGE)
    if beyond:
        raise _UsageError(f'Error: "{beyond[0]}" is not understood here, try "ip help".')
    if device != "lo" and all(device != interface.name for interface in host.interfaces):
        raise _UsageError(f'Device "{device}" does not exist.')
    return device


def _route_get(host: Host, words: list[str]) -> Entry:
    try:
        (text,) = words
        destination = parse_ip(text)
    except ValueError:
        message = f'Error: an address is expected rather than "{" ".join(words)}".'
        raise _UsageError(message) from None
    if len(destination) != 4:
        raise NoRouteError("this network has no IPv6")
    return ip_tables.route_to(host, destination)
