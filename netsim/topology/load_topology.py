"""From a topology file to a checked topology, a plan or a graph."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from netsim.core.errors import Problem
from netsim.core.garbage import without_collections
from netsim.core.order_words import FIFO, UNDRAWN
from netsim.topology.check_topology import check_topology
from netsim.topology.checked_topology import Topology
from netsim.topology.findings import FileFindings
from netsim.topology.make_plan import make_plan
from netsim.topology.plan import NetworkPlan
from netsim.topology.yaml_source import YamlSource, read_yaml

if TYPE_CHECKING:
    import networkx


@without_collections()
def load_topology(path: str | os.PathLike[str], source: YamlSource | None = None) -> Topology:
    """The checked topology in the file at `path`, or on standard input for `-`.

    `source` is what has been read there already, with its mistakes.
    Raises `InvalidFileError` with every mistake in it, in the file's order.
    """
    source = source or read_yaml(path, tolerant=True)
    findings = FileFindings(source)
    # Standard input is a file `-` here: modules and folders are beside it.
    file = Path(path).absolute()
    topology = check_topology(source.data, findings, file=str(file), folder=file.parent)
    return replace(topology, warnings=findings.warnings, drawn_order=_drawn_order(source))


def _drawn_order(source: YamlSource) -> Problem | None:
    """The first place where another order of tasks is written than asyncio's."""
    groups = (source.data.get(name) for name in ("defaults", "kinds", "nodes"))
    for words, path in [
        (source.data, ("order",)),
        *(
            (words, (group, name, "order"))
            for group, of_group in zip(("defaults", "kinds", "nodes"), groups, strict=True)
            if isinstance(of_group, dict)
            for name, words in of_group.items()
        ),
    ]:
        if isinstance(words, dict) and words.get("order") not in (None, FIFO):
            return Problem(source.file, *source.locate(path), UNDRAWN)
    return None


def load_plan(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    seed: int | None = None,
    order: str | None = None,
) -> NetworkPlan:
    """The plan of the network in the file at `path`; `name`, `seed` and `order` go before
    the file's.

    Raises `InvalidFileError` with every mistake in the file, and `InvalidNameError` for a `name`
    that no network can have; ValueError for an `order` that there is not.
    """
    return make_plan(load_topology(path), name=name, seed=seed, order=order)


def load_graph(path: str | os.PathLike[str]) -> networkx.MultiGraph[str]:
    """The network in the file at `path` as a graph whose nodes and edges carry its words.

    Raises `InvalidFileError` with every mistake in the file.
    """
    from netsim.topology.network_graph import graph_of_topology  # networkx is slow to import

    return graph_of_topology(load_topology(path))
