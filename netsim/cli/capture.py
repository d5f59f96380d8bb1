"""`netsim capture`: what passes nodes and interfaces, as tcpdump prints or writes it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any

import click

from netsim.cli import options
from netsim.cli.capture_output import CaptureFile, Lines, Output
from netsim.cli.completion import capture_words
from netsim.cli.outcome import FINE
from netsim.cli.printing import say
from netsim.control.chosen_network import find
from netsim.control.control_client import CaptureStream, ControlClient
from netsim.observe.filter_tokens import WORDS
from netsim.observe.frame_lines import FrameLines
from netsim.observe.pcapng import PcapngReader


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim capture r1\n"
    "  netsim capture r1:eth0 web 'tcp port 80 and not host alice'\n"
    "  netsim capture alice arp or icmp -c 10\n"
    "  netsim capture web -A 'tcp[tcpflags] & tcp-push != 0'\n"
    "  netsim capture r1 -w r1.pcapng\n"
    "  netsim capture r1 -w - | wireshark -k -i -",
)
@click.option("-w", "file", metavar="FILE", help="Write pcapng there; - is standard output.")
@click.option("-c", "count", metavar="N", type=click.IntRange(1), help="End after N packets.")
@click.option("-e", "link", is_flag=True, help="Print the MAC addresses, too.")
@click.option("-v", "verbose", is_flag=True, help="Print the IP header, and heads of HTTP.")
@click.option("-S", "absolute", is_flag=True, help="Print sequence numbers as they are.")
@click.option("-q", "quick", is_flag=True, help="Print less of TCP, UDP and DNS.")
@click.option("-X", "both", count=True, help="Print the bytes, too, and as characters.")
@click.option("-x", "hexadecimal", count=True, help="Print the bytes, too.")
@click.option("-A", "characters", count=True, help="Print the bytes as characters, too.")
@click.option("-n", is_flag=True, hidden=True, help="Addresses are never turned into names.")
@options.as_json
@options.network_name
@click.argument(
    "words",
    metavar="NODE[:IFACE]... [FILTER]",
    nargs=-1,
    required=True,
    shell_complete=capture_words,
)
def command(
    file: str | None,
    count: int | None,
    link: bool,
    verbose: bool,
    absolute: bool,
    quick: bool,
    both: int,
    hexadecimal: int,
    characters: int,
    n: bool,
    as_json: bool,
    name: str | None,
    words: tuple[str, ...],
) -> int:
    """Show every packet that passes a node, or some of its interfaces, as tcpdump does.

    FILTER has tcpdump's words: host, net, port, portrange, src, dst, tcp, udp, icmp, arp, ether
    host, tcp[13] & 2 != 0, and, or, not, parentheses. It goes on until Ctrl-C, after N packets, or
    with the network, and says then how many packets it has lost because they were not taken in
    time. Times are the network's, in seconds.
    """
    client = ControlClient(find(name))
    at, filter_words = _divided(client, words)
    lines = FrameLines(
        link=link,
        verbose=verbose,
        absolute=absolute,
        quick=quick,
        dump=dump_for(both, hexadecimal, characters),
    )
    return capture(client, at, filter_words, count, file=file, lines=lines, as_json=as_json)


def dump_for(both: int, hexadecimal: int, characters: int) -> str:
    """How bytes are printed, by how often -X, -x and -A are written: the first of these counts."""
    written = "X" * both or "x" * hexadecimal or "A" * characters
    return written[:2]


def capture(
    client: ControlClient,
    at: Sequence[str],
    words: str,
    count: int | None,
    *,
    file: str | None,
    lines: FrameLines,
    as_json: bool,
) -> int:
    """Follow a capture to its end; the exit code."""
    if file is not None and as_json:
        raise click.UsageError("`-w` writes pcapng and `--json` prints JSON; leave one out")
    if file == "-" and sys.stdout.isatty():
        raise click.UsageError(
            "`-w -` writes binary, and this is a terminal; write for example "
            "`-w - | tshark -r -`, or `-w FILE`"
        )
    with client.capture(list(at), words, count) as stream, _opened(file) as opened:
        output: Output
        if opened is not None:
            output = CaptureFile(opened, file or "")
        else:
            output = Lines(lines, stream.epoch_ns, as_json)
        with _ending(stream) as asked:
            _follow(stream, output)
    reached = count is not None and output.captured >= count
    if not asked and not reached:
        say(f"netsim: {client.name} is down; the capture ends with it", err=True)
    for line in output.summary():
        say(line, err=True)
    return FINE


def _follow(stream: CaptureStream, output: Output) -> None:
    reader = PcapngReader()
    announced = False
    for data in stream:
        output.take(list(reader.blocks(data)))
        if not announced and output.interfaces:
            announced = True
            where = ", ".join(output.interfaces[:8])
            more = len(output.interfaces) - 8
            more_words = f" and {more} more" if more > 0 else ""
            say(f"capturing at {where}{more_words}; Ctrl-C ends it", err=True)
            if stream.down:
                names = ", ".join(stream.down)
                say(f"{names}: down; nothing passes until `netsim node NAME start`", err=True)


@contextmanager
def _opened(file: str | None) -> Iterator[IO[bytes] | None]:
    """The file to write to, if any; unbuffered, so that a reader sees each packet at once."""
    if file is None:
        yield None
    elif file == "-":
        yield sys.stdout.buffer.raw if hasattr(sys.stdout.buffer, "raw") else sys.stdout.buffer
    else:
        with open(file, "wb", buffering=0) as opened:
            yield opened


@contextmanager
def _ending(stream: CaptureStream) -> Iterator[list[int]]:
    """Ctrl-C, and SIGTERM, end the capture in good order; a second one waits for nothing.

    What has been asked for, by its number.
    """
    asked: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        # Nothing is raised: what is being read or written stays whole.
        asked.append(number)
        for each in before:
            signal.signal(each, signal.default_int_handler)
        stream.end()

    before: dict[int, Any] = {each: signal.getsignal(each) for each in _SIGNALS}
    for each in _SIGNALS:
        signal.signal(each, end)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _divided(client: ControlClient, words: Sequence[str]) -> tuple[list[str], str]:
    """Nodes come first; the filter begins at the first word that names none."""
    kinds = client.kinds()
    at: list[str] = []
    for place, word in enumerate(words):
        names = word.split(",")
        if place and word in WORDS:
            return at, " ".join(words[place:])
        if not all(each.partition(":")[0] in kinds for each in names):
            if not at:
                _no_node(word)
                at = [word]  # the network says which there are
                continue
            return at, " ".join(words[place:])
        at += names
    return at, ""


def _no_node(word: str) -> None:
    first = word.split()[0] if word.split() else word
    if first in WORDS:
        raise click.UsageError(
            f"`{first}` is no node; write one before the filter, for example `r1 {word}`"
        )
