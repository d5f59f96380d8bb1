"""`netsim iperf`: how much one computer can send to another."""

from __future__ import annotations

import click

from netsim.cli import options
from netsim.cli.completion import node_names


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim iperf alice web\n"
    "  netsim iperf alice web -R -P 4 -t 5\n"
    "  netsim iperf alice web -u -b 20mbit\n"
    "  netsim iperf alice web --json | jq .end.sum_received.bits_per_second",
)
@click.option("-R", "--reverse", is_flag=True, help="B sends to A.")
@click.option("-P", "--parallel", metavar="N", help="Streams beside each other; 1 by default.")
@click.option("-t", "--time", metavar="SECONDS", help="For how long; 10 by default.")
@click.option("-i", "--interval", metavar="SECONDS", help="Between lines; 1 by default, 0: none.")
@click.option("-u", "--udp", is_flag=True, help="Datagrams, at a bitrate.")
@click.option("-b", "--bitrate", metavar="RATE", help="Of each UDP stream; 1mbit by default.")
@click.option("-l", "--length", metavar="BYTES", help="Of each datagram; 1448 by default.")
@options.as_json
@options.network_name
@click.argument("a", shell_complete=node_names)
@click.argument("b", shell_complete=node_names)
@click.pass_context
def command(
    ctx: click.Context,
    reverse: bool,
    parallel: str | None,
    time: str | None,
    interval: str | None,
    udp: bool,
    bitrate: str | None,
    length: str | None,
    as_json: bool,
    name: str | None,
    a: str,
    b: str,
) -> int:
    """Send from A to B as fast as the network allows, as iperf3 does; both ends are counted.

    It is `netsim exec A iperf3 -c B`; nothing has to run at B. Ctrl-C ends it, and prints what was
    measured so far.
    """
    from netsim.cli.exec_ import command as exec_command

    words = [] if name is None else ["--name", name]
    words += ["--json"] if as_json else []
    words += [a, "iperf3", "-c", b]
    words += [flag for flag, is_set in (("-R", reverse), ("-u", udp)) if is_set]
    given = {"-P": parallel, "-t": time, "-i": interval, "-b": bitrate, "-l": length}
    words += [f"{option}{value}" for option, value in given.items() if value is not None]
    with exec_command.make_context("exec", words, parent=ctx.parent) as running:
        code: int = exec_command.invoke(running)
    return code
