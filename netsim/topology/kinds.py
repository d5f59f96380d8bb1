"""The kinds of node, as a table of what each does. Nobody else compares their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["computer", "switch", "router"]


@dataclass(frozen=True, slots=True)
class Traits:
    """What a node of some kind is and does."""

    has_stack: bool
    """Speaks IP: its interfaces have addresses, its name resolves, programs can be run on it."""
    forwards: bool
    """Passes on IP packets from one of its interfaces to another."""
    bridges: bool
    """Passes on frames from one of its interfaces to the others: they are one segment."""
    runs_programs: bool
    """Programs, services and published ports may stand at it in a file."""
    attached: bool = False
    """Its place is taken by whoever holds a TAP device: no stack of ours, and no tools."""
    elsewhere: tuple[str, ...] = ()
    """What Mininet, containerlab, netlab and Filius call it."""

    @property
    def relays(self) -> bool:
        """Whether a path can lead through it."""
        return self.forwards or self.bridges


KINDS: Final[dict[Kind, Traits]] = {
    "computer": Traits(
        has_stack=True,
        forwards=False,
        bridges=False,
        runs_programs=True,
        elsewhere=("client", "host", "laptop", "linux", "pc", "server"),
    ),
    "switch": Traits(
        has_stack=False,
        forwards=False,
        bridges=True,
        runs_programs=False,
        elsewhere=("bridge", "hub", "ovs-bridge"),
    ),
    "router": Traits(
        has_stack=True,
        forwards=True,
        bridges=False,
        runs_programs=False,
        elsewhere=(
            *("arista_ceos", "bird", "ceos", "crpd", "frr", "juniper_crpd"),
            *("nokia_srlinux", "sonic-vs", "srl", "vyosnetworks_vyos"),
        ),
    ),
}
ATTACHED: Final = Traits(
    has_stack=True, forwards=False, bridges=False, runs_programs=False, attached=True
)
"""A computer with `attach`, which is somebody else's."""
DEFAULT_KIND: Final[Kind] = "computer"
"""What is assumed of a node whose kind cannot be read, and of one at the end of a single link."""
FORWARDING_KIND: Final[Kind] = "router"
"""What is assumed of a node of a graph with several links."""

PROGRAM_WORDS: Final = (
    *("env", "services", "run", "ready", "ports"),
    *("congestion", "ecn", "order", "restart", "outside"),
)
"""Words of a file that need a kind that runs programs."""
ADDRESS_WORDS: Final = ("address", "gateway", "routes")
"""Words that need a kind with a stack."""
WORDS_OF_A_STACK: Final = (*PROGRAM_WORDS, "gateway", "routes")
"""Words that need a stack of ours, and so do not stand beside `attach`."""


def refused_words(kind: Kind) -> tuple[str, ...]:
    """What may not stand at a node of this kind."""
    traits = KINDS[kind]
    programs = () if traits.runs_programs else (*PROGRAM_WORDS, "attach")
    return programs if traits.has_stack else (*programs, *ADDRESS_WORDS)
