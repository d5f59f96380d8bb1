"""The facts of a network and of a node (`inspect --json`) as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netsim.cli.link_tables import show_links, total
from netsim.cli.printing import heading, print_table, say
from netsim.core.printable import printable

Facts = dict[str, Any]


def show_network(network: Facts) -> None:
    """Nodes, links, and where real connections enter."""
    slow = "" if network.get("speed", 1) == 1 else f", speed {network['speed']:g}"
    say(f"{network['name']}: {network.get('state', 'running')}{slow}", bold=True)
    say()
    show_nodes(network)
    heading("Links")
    show_links(network["links"])
    if network["ports"]:
        heading("Ports")
        rows = [(port["listen"], port["node"], port["to"]) for port in network["ports"]]
        print_table(("LISTEN", "ENTERS AT", "GOES TO"), rows)
    if network.get("ca") is not None:
        heading("Certificates")
        say(f"signed by {network['ca']}; curl --cacert takes it")
    if network.get("faults"):
        heading("Faults in force")
        for fault in network["faults"]:
            say(fault)
    failures = [(node, each) for node in network["nodes"] for each in failed_programs(node)]
    if failures:
        heading("Programs that have ended")
        for node, failure in failures:
            say(f"{node['name']}: {failure}", fg="red")


def show_nodes(network: Facts) -> None:
    """One row for each node."""
    rows = []
    for node in network["nodes"]:
        pid = "-" if node["pid"] is None else str(node["pid"])
        rows.append(
            (
                node["name"],
                node.get("attach", node["kind"]),
                pid,
                node["state"],
                _addresses_by_interface(node),
            )
        )
    print_table(("NODE", "KIND", "PID", "STATE", "ADDRESSES"), rows)


def failed_programs(node: Facts) -> list[str]:
    """What has become of the programs of a node that ended with an exception, a line each."""
    return [
        f"run: {program['call']} has ended with {printable(program['failure'])}"
        for program in node.get("programs", ())
        if program["state"] == "failed"
    ]


def not_responding(node: Facts) -> str:
    """Of a node that does not answer: why, where that is known."""
    from netsim.site.users_lines import blocks

    where = f": {blocks(node['stands_at'])}" if "stands_at" in node else ""
    return f"{node['name']} does not respond{where}"


def _addresses_by_interface(node: Facts) -> str:
    """`eth0 10.0.1.1/24, eth1 10.0.2.1/24, lo 10.255.0.1/32`."""
    by_name = {each["name"]: each["addresses"] for each in node["interfaces"]}
    by_name |= {"lo": node.get("loopback", [])}
    return ", ".join(" ".join((name, *own)) for name, own in by_name.items() if own)


def show_node(node: Facts) -> None:
    """Everything about one node."""
    what = ", ".join(filter(None, (node["kind"], node.get("attach"), node["state"])))
    say(f"{node['name']}: {what}, pid {node['pid']}", bold=True)
    if node["state"] == "not responding":
        say(not_responding(node), fg="red")
    if node.get("ended"):
        say(node["ended"], fg="red")
    for line in node.get("last_lines", ()):
        if not node["ended"].endswith(line):  # that was just said
            say(f"  {line}")
    for failure in failed_programs(node):
        say(failure, fg="red")
    for program in node.get("programs", ()):
        for line in program["traceback"]:
            say(f"  {line}")
    say()
    _show_interfaces(node["interfaces"])
    if node.get("loopback"):
        heading("Loopback")
        say(" ".join(node["loopback"]))
    for key, title in (
        *(("routes", "Routes"), ("neighbours", "Neighbours"), ("mac_table", "MACs")),
        ("upstreams", "Upstreams"),
    ):
        if node.get(key):
            heading(title)
            _show_documents(node[key])
    counters = [*_flat("", node.get("counters", {})), *_of_interfaces(node)]
    counters += _flat("lateness.", node.get("lateness", {}))
    if counters:
        heading("Counters")
        print_table(("COUNTER", "VALUE"), counters)


def _show_interfaces(interfaces: list[Facts]) -> None:
    rows = []
    for interface in interfaces:
        sent, received = interface.get("tx", {}), interface.get("rx", {})
        dropped = total(sent.get("dropped")) + total(received.get("dropped"))
        peer = interface["peer"]
        if "peer_interface" in interface:
            peer += f":{interface['peer_interface']}"
        rows.append(
            (
                interface["name"],
                "up" if interface["up"] else "down",
                interface["mac"],
                " ".join(interface["addresses"]) or "-",
                peer,
                str(sent.get("frames", "-")),
                str(received.get("frames", "-")),
                str(dropped),
            )
        )
    head = ("INTERFACE", "STATE", "MAC", "ADDRESSES", "PEER", "SENT", "RECEIVED", "DROPPED")
    print_table(head, rows)


def _show_documents(documents: list[Facts]) -> None:
    """A table whose columns are the keys of the documents."""
    keys = list(dict.fromkeys(key for document in documents for key in document))
    rows = [
        tuple("-" if document.get(key) is None else str(document[key]) for key in keys)
        for document in documents
    ]
    print_table([key.upper().replace("_", " ") for key in keys], rows)


def _of_interfaces(node: Facts) -> Iterator[tuple[str, str]]:
    """What the table of interfaces leaves out, such as why frames were dropped; no zeros."""
    for interface in node["interfaces"]:
        for direction in ("tx", "rx"):
            counters = interface.get(direction, {})
            for name, value in _flat(f"{interface['name']}.{direction}.", counters):
                if value != "0" and not name.endswith(".frames"):
                    yield name, value
    yield from _flat("dropped.", node.get("drops", {}))


def _flat(prefix: str, counters: Facts) -> Iterator[tuple[str, str]]:
    """`{"tcp": {"resets": 1}}` as `tcp.resets 1`."""
    for name, value in counters.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", str(value)
