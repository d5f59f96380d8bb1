"""Directed graphs: an edge there says what one direction does, a link carries both."""

from __future__ import annotations

from typing import Any

import networkx

from netsim.topology.link_words import DirectionWords
from netsim.topology.naming import host_name


def undirected(graph: networkx.Graph[Any]) -> networkx.MultiGraph[Any]:
    """The same network as links: each edge together with one that leads back, if there is one.

    Two such edges become a link whose directions differ as they do. An edge without another that
    leads back becomes a link that is the same in both directions.
    """
    links: networkx.MultiGraph[Any] = networkx.MultiGraph(**graph.graph)
    links.add_nodes_from(graph.nodes(data=True))
    unpaired: dict[tuple[Any, Any], list[dict[str, Any]]] = {}
    for a, b, attributes in graph.edges(data=True):
        back = unpaired.get((b, a))
        if back and a != b:
            link = back.pop(0)
            there, here = dict(link), dict(attributes)
            link.clear()
            egress = {host_name(b): _taken_out(there), host_name(a): _taken_out(here)}
            link.update(here | there)
            link["egress"] = {name: words for name, words in egress.items() if words}
        else:
            key = links.add_edge(a, b, **attributes)
            unpaired.setdefault((a, b), []).append(links.edges[a, b, key])
    return links


def _taken_out(attributes: dict[str, Any]) -> dict[str, Any]:
    """The words of one direction, which leave `attributes`."""
    known = {*DirectionWords.words(), *DirectionWords.not_yet}
    return {word: attributes.pop(word) for word in list(attributes) if word in known}
