"""What to write instead of tools that people know from elsewhere and that nodes do not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_SAME_HERE: Final = {
    "arp": "ip neigh",
    "bridge": "mac-table",
    "brctl": "mac-table",
    "ethtool": "ip link",
    "host": "dig",
    "ifconfig": "ip addr",
    "ipconfig": "ip addr",
    "mtr": "traceroute",
    "netstat": "ss",
    "nslookup": "dig",
    "ovs-appctl": "mac-table",
    "ovs-ofctl": "mac-table",
    "ovs-vsctl": "mac-table",
    "ping6": "ping",
    "route": "ip route",
    "tracepath": "traceroute",
    "tracert": "traceroute",
    "vtysh": "ip route",
    "wget": "curl",
}
"""Those that another tool does the work of."""
_CAPTURE: Final = (
    "write `netsim capture {node}`; a scenario has the step `capture` (docs/scenarios.md, Packets)"
)
_LINK: Final = "write `netsim link {node} PEER --delay 80ms --loss 5%`, which changes a link"
_PROGRAM: Final = (
    "nodes run no real programs: write `run: module:function` in the topology file, or "
    "`net['{node}'].run(function)` in Python (docs/services.md)"
)
_SHELL: Final = (
    "nodes have no shell: write a tool behind the node, such as `netsim exec {node} ping NODE`"
)
_THROUGHPUT: Final = (
    "write `netsim iperf {node} NODE`, which measures how much it can send, or in a scenario the "
    "step `transfer` (docs/scenarios.md)"
)
_CONNECTION: Final = (
    "`curl` speaks HTTP; for bytes of your own write asyncio in a function, and "
    "`run: module:function` in the topology file (docs/services.md)"
)
_HTTP_LOAD: Final = (
    "write `ports` in the topology file, and run it outside at the port that is published "
    "(docs/topology.md, Nodes)"
)
_DROP: Final = "write `netsim drop {node} PEER`, which lets packets vanish"
_PROGRAMS: Final = (
    *("gunicorn", "java", "nginx", "node", "npm", "perl", "pip"),
    *("pytest", "python", "python3", "redis-server", "ruby", "uvicorn"),
)
_SHELLS: Final = (
    *("ash", "bash", "cat", "cli", "echo", "ls", "sh"),
    *("ssh", "sudo", "telnet", "xterm", "zsh"),
)
_ELSEWHERE: Final = {
    **dict.fromkeys(("dumpcap", "tcpdump", "tshark", "wireshark"), _CAPTURE),
    **dict.fromkeys(("tc", "netem"), _LINK),
    **dict.fromkeys(_PROGRAMS, _PROGRAM),
    **dict.fromkeys(_SHELLS, _SHELL),
    **dict.fromkeys(("netperf", "scp"), _THROUGHPUT),
    **dict.fromkeys(("nc", "ncat", "netcat", "socat"), _CONNECTION),
    **dict.fromkeys(("ab", "hey", "k6", "locust", "wrk"), _HTTP_LOAD),
    **dict.fromkeys(("iptables", "nft"), _DROP),
    **dict.fromkeys(("kill", "killall", "pkill"), "write `netsim node {node} kill-program`"),
    **dict.fromkeys(("ps", "top"), "write `netsim inspect {node}`"),
}
"""Those whose work is done by something that is no tool."""


def instead_of(name: str, argv: Sequence[str], node: str, tools: Sequence[str]) -> str:
    """What a node that has `tools` says about one that it has not."""
    same = same_here(name, argv)
    if same.partition(" ")[0] in tools:
        return f"write `{same}`"
    return elsewhere(name, node) or f"there {'is' if len(tools) == 1 else 'are'} {', '.join(tools)}"


def same_here(name: str, argv: Sequence[str]) -> str:
    """The tool of nodes that does the same; empty where there is none."""
    if name == "netstat" and any(map(_asks_for_routes, argv)):
        return "ip route"
    return _SAME_HERE.get(name, "")


def elsewhere(name: str, node: str) -> str:
    """What does the work of a tool without being one; empty where nobody has it."""
    return _ELSEWHERE.get(name, "").format(node=node)


def _asks_for_routes(option: str) -> bool:
    """`-r`, `-rn`, `-nr` or `--route` of netstat."""
    return option == "--route" or (not option.startswith("--") and "r" in option[1:])
