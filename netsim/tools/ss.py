"""`ss`: the sockets of a computer or router, with the options and the output of iproute2."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from netsim.tools.arguments import ToolParser
from netsim.tools.context import Context
from netsim.tools.ss_sockets import Naming, Socket, document, lines, sockets_of


async def ss(argv: Sequence[str], context: Context) -> int:
    """Exit code 0, also when there is no socket to show; 2 usage."""
    options = _parse(argv, context)
    kinds = {kind for kind in ("tcp", "udp") if getattr(options, kind)} or {"tcp", "udp"}
    sockets = [
        socket
        for socket in sockets_of(context.host)
        if socket.kind in kinds and _is_wanted(socket, options)
    ]
    now = context.loop.network_now()
    if context.json:
        context.print_line(json.dumps([document(socket, now) for socket in sockets], indent=2))
        return 0
    naming = Naming(context.name_of, ports=not options.numeric, addresses=options.resolve)
    for line in lines(
        sockets,
        naming,
        now,
        heading=not options.no_header,
        kinds=len(kinds) > 1,
        timers=options.options,
        details=options.info,
    ):
        context.print_line(line)
    return 0


def _is_wanted(socket: Socket, options: argparse.Namespace) -> bool:
    """As in iproute2: without `-a` and `-l` only what has a peer, and no TIME-WAIT."""
    if options.all:
        return True
    if options.listening:
        return socket.is_listening
    return not socket.is_listening and socket.state not in ("TIME-WAIT", "SYN-RECV")


def _parse(argv: Sequence[str], context: Context) -> argparse.Namespace:
    parser = ToolParser(context, "ss")
    flags = (
        ("-t", "--tcp", "TCP sockets"),
        ("-u", "--udp", "UDP sockets; without -t and -u, both"),
        ("-l", "--listening", "only listening sockets"),
        ("-a", "--all", "listening sockets, connections, and those in TIME-WAIT"),
        ("-n", "--numeric", "port numbers instead of names of services"),
        ("-r", "--resolve", "names of nodes instead of addresses"),
        ("-o", "--options", "timers"),
        ("-i", "--info", "what TCP knows of each connection"),
        ("-p", "--processes", "nothing more: the whole node is one process"),
        ("-H", "--no-header", "no heading"),
        ("-4", "--ipv4", "IPv4, which is all there is"),
    )
    for short, long, text in flags:
        parser.add_argument(short, long, action="store_true", help=text)
    return parser.parse_args(list(argv))
