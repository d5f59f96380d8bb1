"""Topology files of the usual shapes, as text: what people compare protocols and programs on.

Addresses stay automatic. Whatever is drawn at random comes from a seed, and repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Final, TypeAlias

from netsim.core.errors import InvalidValueError
from netsim.topology.kinds import Kind

MOST_NODES: Final = 10_000
"""And links."""
_EXTRA_LINKS: Final = 2
"""Of a random network, one for so many routers beside those that keep it in one piece."""

Cable: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class Shape:
    """Nodes and links, in the order in which they will be written."""

    about: str
    """What it is, for the head of the file."""
    nodes: dict[Kind, list[str]] = field(default_factory=dict)
    links: list[Cable] = field(default_factory=list)

    def add(self, kind: Kind, stem: str, count: int) -> list[str]:
        """`count` more nodes: `h1`, `h2` …"""
        known = self.nodes.setdefault(kind, [])
        taken = sum(name.rstrip("0123456789") == stem for name in known)
        names = [f"{stem}{taken + number}" for number in range(1, count + 1)]
        known += names
        return names

    def add_hosts(self, relays: list[str], hosts: int) -> None:
        """So many computers at each of the relays."""
        for relay in relays:
            self.links += [(host, relay) for host in self.add("computer", "h", hosts)]


def linear(switches: int, hosts: int = 1) -> Shape:
    """Switches in a row with computers at each, as Mininet's `linear`."""
    shape = Shape(f"{_counted(switches, 'switch', 'switches')} in a row, {_hosts(hosts)} at each")
    row = shape.add("switch", "s", switches)
    shape.add_hosts(row, hosts)
    shape.links += list(pairwise(row))
    return shape


def tree(depth: int, fanout: int) -> Shape:
    """Switches in levels, each with `fanout` below it; computers below the last."""
    shape = Shape(f"{_counted(depth, 'level')} of switches, {fanout} below each; then computers")
    level = shape.add("switch", "s", 1)
    for _ in range(depth - 1):
        below = []
        for switch in level:
            lower = shape.add("switch", "s", fanout)
            shape.links += [(switch, each) for each in lower]
            below += lower
        level = below
    shape.add_hosts(level, fanout)
    return shape


def ring(routers: int, hosts: int = 1) -> Shape:
    """Routers in a circle with computers at each: every way has another one round the back."""
    shape = Shape(f"{_counted(routers, 'router')} in a ring, {_hosts(hosts)} at each")
    circle = shape.add("router", "r", routers)
    shape.add_hosts(circle, hosts)
    shape.links += list(zip(circle, [*circle[1:], circle[0]], strict=True))
    return shape


def clos(spines: int, leaves: int, hosts: int) -> Shape:
    """A fabric of a data centre (Clos 1953): each leaf is linked to every spine, hosts to leaves.

    All of them are routers, and ways of equal cost share the connections.
    """
    shape = Shape(
        f"a Clos fabric: {_counted(spines, 'spine')}, {_counted(leaves, 'leaf', 'leaves')}, "
        f"{_hosts(hosts)} at each leaf"
    )
    upper = shape.add("router", "spine", spines)
    lower = shape.add("router", "leaf", leaves)
    shape.add_hosts(lower, hosts)
    shape.links += [(leaf, spine) for leaf in lower for spine in upper]
    return shape


def random_network(routers: int, hosts: int = 1, *, seed: int = 0) -> Shape:
    """Routers in one piece, a random tree and half as many links again; computers at each."""
    shape = Shape(f"{_counted(routers, 'router')} at random, {_hosts(hosts)} at each")
    drawn = Random(seed)
    every = shape.add("router", "r", routers)
    shape.add_hosts(every, hosts)
    links = [(every[drawn.randrange(number)], every[number]) for number in range(1, routers)]
    taken = {frozenset(link) for link in links}
    possible = routers * (routers - 1) // 2
    wanted = min(routers - 1 + routers // _EXTRA_LINKS, possible)
    while len(links) < wanted:
        a, b = sorted(drawn.sample(range(routers), 2))
        if frozenset((every[a], every[b])) not in taken:
            taken.add(frozenset((every[a], every[b])))
            links.append((every[a], every[b]))
    shape.links += links
    return shape


@dataclass(frozen=True, slots=True)
class Generator:
    """A shape by its name on the command line."""

    make: Callable[..., Shape]
    sizes: tuple[tuple[str, int], ...]
    """What each number is called, and the least that it may be."""
    size_of: Callable[..., int]
    """How many nodes, or links, that will be; before any is made."""
    takes_hosts: bool = True
    is_drawn: bool = False


GENERATORS: Final[dict[str, Generator]] = {
    "linear": Generator(linear, (("N", 1),), lambda n, hosts: n * (1 + hosts)),
    "tree": Generator(
        tree,
        (("DEPTH", 1), ("FANOUT", 1)),
        lambda depth, fanout: sum(min(fanout, MOST_NODES) ** each for each in range(depth + 1)),
        takes_hosts=False,
    ),
    "ring": Generator(ring, (("N", 3),), lambda n, hosts: n * (1 + hosts)),
    "clos": Generator(
        clos,
        (("SPINES", 1), ("LEAVES", 1), ("HOSTS", 0)),
        lambda spines, leaves, hosts: spines + leaves * (1 + spines + hosts),
        takes_hosts=False,
    ),
    "random": Generator(
        random_network, (("N", 2),), lambda n, hosts: n * (1 + hosts), is_drawn=True
    ),
}


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of all links and of the network, as a topology file has it."""

    name: str
    command: str
    """That makes the file again."""
    link: dict[str, str]


def generate(
    kind: str, sizes: list[int], *, hosts: int | None = None, seed: int | None = None
) -> Shape:
    """The shape of that kind and size; InvalidValueError says what is expected."""
    generator = GENERATORS[kind]
    names = [name for name, _ in generator.sizes]
    if len(sizes) != len(names):
        raise InvalidValueError(
            f"{kind} takes {_counted(len(names), 'number')}; write `{kind} {' '.join(names)}`"
        )
    for size, (name, least) in zip(sizes, generator.sizes, strict=True):
        if size < least:
            raise InvalidValueError(f"{name} of {kind} is {size}; write {least} or more")
    if hosts is not None and not generator.takes_hosts:
        raise InvalidValueError(f"{kind} takes no --hosts; {_where_hosts_are(kind)}")
    if seed is not None and not generator.is_drawn:
        raise InvalidValueError(f"nothing of {kind} is drawn; leave --seed out")
    numbers = [*sizes, *([hosts if hosts is not None else 1] if generator.takes_hosts else [])]
    if any(number > MOST_NODES for number in numbers) or generator.size_of(*numbers) > MOST_NODES:
        raise InvalidValueError(
            f"that is more than {MOST_NODES:,} nodes or links; write smaller numbers"
        )
    return generator.make(*numbers, **({"seed": seed or 0} if generator.is_drawn else {}))


def to_yaml(shape: Shape, words: Words) -> str:
    """The topology file."""
    return "\n".join(_lines(shape, words)) + "\n"


def _lines(shape: Shape, words: Words) -> Iterator[str]:
    yield f"# {shape.about[0].upper()}{shape.about[1:]}."
    yield f"# Made by: {words.command}"
    yield "# Addresses are assigned; `netsim inspect` shows them, and names resolve."
    yield ""
    yield f"name: {words.name}"
    if words.link:
        yield "defaults:"
        yield f"  link: {{{', '.join(f'{key}: {value}' for key, value in words.link.items())}}}"
    yield "nodes:"
    for kind, names in shape.nodes.items():
        for name in names:
            yield f"  {name}: {{kind: {kind}}}"
    yield "links:"
    for a, b in shape.links:
        yield f"  - [{a}, {b}]"


def _counted(number: int, noun: str, several: str = "") -> str:
    return f"1 {noun}" if number == 1 else f"{number} {several or noun + 's'}"


def _hosts(number: int) -> str:
    return _counted(number, "computer")


def _where_hosts_are(kind: str) -> str:
    return (
        "HOSTS is its third number" if kind == "clos" else "FANOUT computers stand at each switch"
    )
