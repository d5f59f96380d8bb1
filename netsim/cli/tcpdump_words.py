"""`netsim exec NODE tcpdump …` is `netsim capture`: what tcpdump's options mean there."""

from __future__ import annotations

import getopt
from collections import Counter
from collections.abc import Sequence
from typing import Final

import click

from netsim.cli.capture import capture, dump_for
from netsim.control.control_client import ControlClient
from netsim.observe.frame_lines import FrameLines

_SHORT: Final = "AbB:c:C:dDeE:fF:G:hHi:Ij:JKlLm:M:nNOpqQ:r:s:SStT:uUvV:w:W:xXy:z:Z:#"
_LONG: Final = (
    *("absolute-tcp-sequence-numbers", "immediate-mode", "interface=", "list-interfaces"),
    *("packet-buffered", "snapshot-length=", "help"),
)
_SAME: Final = {
    "--interface": "-i",
    "--snapshot-length": "-s",
    "--absolute-tcp-sequence-numbers": "-S",
    "--packet-buffered": "-U",
    "--immediate-mode": "-U",
    "--list-interfaces": "-D",
}
_WITHOUT_EFFECT: Final = frozenset(("-n", "-l", "-U", "-s", "-p", "-K", "-B"))
"""Addresses are never turned into names, lines and packets come at once, frames are whole."""
_INSTEAD: Final = {
    "-D": "write `netsim exec NODE ip link`, which lists the interfaces",
    "-r": "a file is read outside; write `tcpdump -r FILE` without `netsim exec`",
    "-t": "times are the network's, in seconds; leave it out",
    "-h": "write `netsim capture --help`",
    "--help": "write `netsim capture --help`",
}


def tcpdump(client: ControlClient, nodes: Sequence[str], argv: Sequence[str], as_json: bool) -> int:
    """Capture at nodes; the exit code."""
    try:
        options, words = getopt.gnu_getopt(list(argv), _SHORT, list(_LONG))
    except getopt.GetoptError as error:
        raise click.UsageError(f"tcpdump: {error.msg}; netsim capture --help lists them") from None
    interfaces: list[str] = []
    given: dict[str, str] = {}
    dumps = Counter[str]()
    count = None
    for written, value in options:
        option = _SAME.get(written, written)
        if option == "-i":
            interfaces += [] if value == "any" else [value]
        elif option == "-c":
            count = _count(value)
        elif option in ("-w", "-e", "-v", "-S", "-q"):
            given[option] = value
        elif option in ("-A", "-x", "-X"):
            dumps[option[1]] += 1
        elif option not in _WITHOUT_EFFECT:
            instead = _INSTEAD.get(option, "it is not there; netsim capture --help lists what is")
            raise click.UsageError(f"tcpdump {written}: {instead}")
    at = [f"{node}:{each}" for node in nodes for each in interfaces] or nodes
    lines = FrameLines(
        link="-e" in given,
        verbose="-v" in given,
        absolute="-S" in given,
        quick="-q" in given,
        dump=dump_for(dumps["X"], dumps["x"], dumps["A"]),
    )
    file = given.get("-w")
    return capture(client, at, " ".join(words), count, file=file, lines=lines, as_json=as_json)


def _count(text: str) -> int:
    if text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 31:
        return int(text)
    raise click.UsageError(f"tcpdump -c: `{text}` is no number of packets; write 1 or more")
