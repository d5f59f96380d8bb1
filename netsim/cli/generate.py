"""`netsim generate`: a topology file of a usual shape."""

from __future__ import annotations

import shlex
from typing import Final

import click

from netsim.core.errors import NetsimError
from netsim.core.units import parse_duration, parse_percentage, parse_rate

_PARSE: Final = {"bandwidth": parse_rate, "delay": parse_duration, "loss": parse_percentage}


@click.command(
    epilog="\b\nExamples:\n"
    "  netsim generate linear 3 > linear.yaml\n"
    "  netsim generate tree 2 2 | netsim up -d -\n"
    "  netsim generate ring 6 --delay 5ms\n"
    "  netsim generate clos 4 8 2 --bandwidth 1gbit | netsim graph - -o fabric.svg\n"
    "  netsim generate random 20 --seed 7",
)
@click.option(
    "--hosts", type=click.IntRange(0), metavar="N", help="Computers at each switch or router."
)
@click.option("--delay", metavar="TIME", help="Of every link: 5ms.")
@click.option("--bandwidth", metavar="RATE", help="Of every link: 10mbit.")
@click.option("--loss", metavar="CHANCE", help="Of every link: 1%.")
@click.option("--seed", type=int, metavar="N", help="Of what is drawn at random.  [default: 0]")
@click.option("--name", metavar="NAME", help="Call the network so.")
@click.argument(
    "kind", metavar="KIND", type=click.Choice(["linear", "tree", "ring", "clos", "random"])
)
@click.argument("sizes", metavar="SIZE...", nargs=-1, type=int)
def command(
    hosts: int | None,
    delay: str | None,
    bandwidth: str | None,
    loss: str | None,
    seed: int | None,
    name: str | None,
    kind: str,
    sizes: tuple[int, ...],
) -> None:
    """Print a topology file of a usual shape.

    \b
    linear N                   switches in a row, as mn --topo linear
    tree DEPTH FANOUT          levels of switches, as mn --topo tree
    ring N                     routers in a circle
    clos SPINES LEAVES HOSTS   the fabric of a data centre; HOSTS at each leaf
    random N                   routers, a tree and half as many links again
    """
    from netsim.topology.generators import Words, generate, to_yaml
    from netsim.topology.naming import check_network_name

    shape = generate(kind, list(sizes), hosts=hosts, seed=seed)
    link = {"bandwidth": bandwidth, "delay": delay, "loss": loss}
    given = {word: value for word, value in link.items() if value is not None}
    try:
        for word, value in given.items():
            _PARSE[word](value)
        network = check_network_name(name or f"{kind}-{'x'.join(map(str, sizes))}")
    except NetsimError as error:
        raise click.UsageError(str(error)) from None
    options = {**given, "hosts": hosts, "seed": seed, "name": name}
    written = [f"--{word}={value}" for word, value in options.items() if value is not None]
    line = shlex.join(["netsim", "generate", kind, *map(str, sizes), *written])
    click.echo(to_yaml(shape, Words(network, line, given)), nl=False)
