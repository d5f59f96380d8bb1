"""A topology as a networkx graph, and a graph as a topology.

Nodes, edges and the graph itself carry the words of a topology file as attributes: an edge has
`delay="2ms"`, a node `kind="router"`. So a graph from a file can be changed with what networkx
offers and handed back, and any graph built by code goes through the checks of a file.

An edge also carries `endpoints` (`["r1:eth0", "s1:eth2"]`), `order` (its place among the links,
which networkx does not keep) and `delay_ns`, a weight for networkx's algorithms that is not read
back. A node of a graph from code that has no `kind` is a computer where one link leads to it,
else a router. Attributes of other libraries (`pos`, `weight`) are passed over.
"""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import networkx

from netsim.core.errors import InvalidGraphError
from netsim.core.link_attributes import LINK_ATTRIBUTES, LinkAttributes
from netsim.core.units import format_duration
from netsim.topology.check_topology import check_topology
from netsim.topology.checked_topology import Link, Node, Topology
from netsim.topology.findings import Findings
from netsim.topology.kinds import DEFAULT_KIND, FORWARDING_KIND
from netsim.topology.link_words import DirectionWords, LinkWords
from netsim.topology.naming import host_name, nearest, network_name
from netsim.topology.plan import PublishedPortPlan, ServicePlan
from netsim.topology.topology_words import NodeWords, TopologyWords
from netsim.topology.vocabulary import Words
from netsim.topology.yaml_source import PathTo

_DERIVED: Final = frozenset(("delay_ns", "order", "file"))


# To a graph -----------------------------------------------------------------------------------


def graph_of_topology(topology: Topology) -> networkx.MultiGraph[str]:
    """The graph whose nodes and edges carry the words that make `topology` again."""
    pool, length = topology.pool
    graph: networkx.MultiGraph[str] = networkx.MultiGraph(
        name=topology.name,
        domain=topology.domain,
        routing=topology.routing,
        convergence=format_duration(topology.convergence_ns),
        addressing={
            "pool": _network(pool, length),
            "prefix": topology.subnet_length,
        },
        file=topology.file,
    )
    if topology.seed is not None:
        graph.graph["seed"] = topology.seed
    if topology.host_jitter_ns:
        graph.graph["host_jitter"] = format_duration(topology.host_jitter_ns)
    if topology.own_packages:
        graph.graph["own_packages"] = list(topology.own_packages)
    for node in topology.layout.nodes.values():
        graph.add_node(node.name, **_node_words(node))
    for order, link in enumerate(topology.layout.links):
        graph.add_edge(link.a.node, link.b.node, **_link_words(link), order=order)
    return graph


def _node_words(node: Node) -> dict[str, Any]:
    addresses = {
        interface: _network(*given[0]) if len(given) == 1 else [_network(*each) for each in given]
        for interface, given in node.given_addresses.items()
    }
    services = {service.port: _service_words(service) for service in node.services}
    routes = [
        {
            "to": _network(route.prefix, route.prefix_length),
            "via": route.via
            if isinstance(route.via, str)
            else str(ipaddress.ip_address(route.via)),
        }
        for route in node.given_routes
    ]
    run = [{"call": each.call, "args": dict(each.args)} for each in node.run]
    words = {
        "address": addresses.get("", addresses),
        "routes": routes,
        "env": dict(node.env),
        "services": services,
        "ports": [_port(port) for port in node.ports],
        "run": run,
        "congestion": None if node.congestion == "cubic" else node.congestion,
        "ecn": node.ecn,
        "order": None if node.order == "fifo" else node.order,
        "ready": node.ready,
        "restart": None if node.restart == "never" else node.restart,
        "outside": "allow" if node.outside else None,
        "attach": node.tap and f"tap:{node.tap}",
    }
    said = {word: value for word, value in words.items() if value or value is False}
    return {"kind": node.kind} | said


def _service_words(service: ServicePlan) -> dict[str, Any]:
    words = {
        "app": service.app,
        "asgi": service.asgi,
        "wsgi": service.wsgi,
        "files": service.files,
        "upstream": service.upstream and str(service.upstream),
        "args": dict(service.args),
        "tls": service.tls,
    }
    return {word: value for word, value in words.items() if value}


def _link_words(link: Link) -> dict[str, Any]:
    first, second = _link_changes(link.a_to_b), _link_changes(link.b_to_a)
    shared = {word: value for word, value in first.items() if second.get(word) == value}
    egress = {
        end.node: own
        for end, direction in ((link.a, first), (link.b, second))
        if (own := {word: value for word, value in direction.items() if word not in shared})
    }
    words: dict[str, Any] = {"endpoints": [":".join(link.a), ":".join(link.b)], **shared}
    if egress:
        words["egress"] = egress
    words["delay_ns"] = max(link.a_to_b.delay_ns, link.b_to_a.delay_ns)
    return words


def _link_changes(attributes: LinkAttributes) -> dict[str, Any]:
    """The words for what is not as in a bare link."""
    return {
        each.word: each.written(attributes)
        for each in LINK_ATTRIBUTES
        if getattr(attributes, each.field) != each.default
    }


def _network(address: bytes, length: int) -> str:
    return f"{ipaddress.ip_address(address)}/{length}"


def _port(port: PublishedPortPlan) -> str:
    listen = f"[{port.listen_host}]" if ":" in port.listen_host else port.listen_host
    return f"{listen}:{port.listen_port}:{port.host}:{port.port}"


# From a graph ---------------------------------------------------------------------------------


def topology_from_graph(graph: Any) -> Topology:
    """The checked topology that a networkx graph of any kind describes.

    Names that no host can have are made ones ("New York" is new-york, (0, 1) is 0-1). An edge of a
    directed graph says what the direction from its first node does.
    Raises `InvalidGraphError` with every mistake.
    """
    if not isinstance(graph, networkx.Graph):
        what = type(graph).__name__
        raise InvalidGraphError(
            [f"a {what} is no network; write a path, a plan or a networkx graph"]
        )
    # The names of a file are names already; those of a graph from code are of any kind.
    name_of = host_name if "file" in graph.graph else network_name
    if graph.is_directed():
        graph = _undirected(graph, name_of)
    edges = list(graph.edges(data=True))
    edges.sort(key=lambda edge: edge[2].get("order", len(edges)))
    findings = _GraphFindings([f"{name_of(a)}–{name_of(b)}" for a, b, _ in edges])
    written = _words_of(graph.graph, TopologyWords, (), findings)
    written["name"] = network_name(written.get("name") or "graph")
    written["nodes"] = nodes = {}
    for node, attributes in graph.nodes(data=True):
        name = name_of(node)
        path: PathTo = ("nodes", name)
        if name in nodes:
            findings.report(path, "two nodes have this name in lowercase letters; rename one")
            continue
        kind = DEFAULT_KIND if graph.degree(node) <= 1 else FORWARDING_KIND
        nodes[name] = {"kind": kind} | _words_of(attributes, NodeWords, path, findings)
    written["links"] = links = []
    for index, (a, b, attributes) in enumerate(edges):
        path = ("links", index)
        ends = {"endpoints": [name_of(a), name_of(b)]}
        words = ends | _words_of(attributes, LinkWords, path, findings)
        if {str(end).partition(":")[0] for end in words["endpoints"]} != set(ends["endpoints"]):
            message = f"the ends are {a} and {b} by the graph; write them, or leave it out"
            findings.report((*path, "endpoints"), message)
        links.append(words)
    file = str(graph.graph.get("file", ""))
    folder = Path(file).parent if file else Path.cwd()
    return check_topology(written, findings, file=file, folder=folder)


def _undirected(
    graph: networkx.Graph[Any], name_of: Callable[[object], str]
) -> networkx.MultiGraph[Any]:
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
            egress = {name_of(b): _taken_out(there), name_of(a): _taken_out(here)}
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


def _words_of(
    attributes: Mapping[Any, Any], model: type[Words], path: PathTo, findings: Findings
) -> dict[str, Any]:
    """The attributes that are words of ours. One that is nearly a word was meant to be it."""
    known = set(model.model_fields) | set(model.not_yet)
    words = {}
    for key, value in attributes.items():
        if key in known:
            words[key] = _plain(value)
        elif isinstance(key, str) and key not in _DERIVED and (near := _meant(key, known)):
            findings.report((*path, key), f"unknown attribute; write `{near}`")
    return words


def _meant(key: str, known: Collection[str]) -> str | None:
    """Our word for what is Mininet's (`bw`), or nearly ours: passed over it would be missed."""
    ours = next((each.word for each in LINK_ATTRIBUTES if key in each.elsewhere), None)
    return ours if ours in known else _misspelled(key, known)


def _misspelled(key: str, known: Iterable[str]) -> str | None:
    near = nearest(key, known)
    alike = near is not None and abs(len(near) - len(key)) <= 1 and near[0] == key[0]
    return near if alike else None


def _plain(value: Any) -> Any:
    """Lists for tuples, throughout: the vocabulary is that of a file."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


class _GraphFindings(Findings):
    def __init__(self, link_names: list[str]) -> None:
        self._link_names = link_names
        self._mistakes: dict[str, None] = {}

    def report(self, path: PathTo, message: str, *, at_key: bool = False) -> None:
        mistake = f"{self._where(path)}: {message}"
        self.found += mistake not in self._mistakes
        self._mistakes[mistake] = None

    def _where(self, path: PathTo) -> str:
        section, *rest = path if path else ["graph"]
        if section == "nodes" and rest:
            return " ".join([f"node {rest[0]}", *(f"`{step}`" for step in rest[1:] if step != "")])
        if section == "links" and rest:
            link = self._link_names[int(str(rest[0]))]
            return " ".join([f"link {link}", *(f"`{step}`" for step in rest[1:])])
        return " ".join(["graph", *(f"`{step}`" for step in [section, *rest])])

    def warn(self, path: PathTo, message: str) -> None:
        warnings.warn(f"{self._where(path)}: {message}", stacklevel=2)

    def stop_if_any(self) -> None:
        if self._mistakes:
            raise InvalidGraphError(list(self._mistakes))
