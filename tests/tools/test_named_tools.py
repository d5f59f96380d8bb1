"""How tools are found, run and interrupted."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from plans import chain
from tool_lab import MakeLab, make_lab

from netsim import tools
from netsim.tools.context import Context
from netsim.tools.named_tools import SWITCH_TOOLS, TOOLS

__all__ = ["make_lab"]


def test_a_tool_that_does_not_exist(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("r1", "frobnicate", "web")
    assert (outcome.code, outcome.stdout) == (127, b"")
    assert outcome.stderr == (
        "frobnicate: no such tool at r1; there are curl, dig, ip, iperf3, ping, ss, traceroute\n"
    )
    outcome = make_lab(chain()).run("s1", "frobnicate", "web")
    assert outcome.stderr == ("frobnicate: no such tool at s1; there is mac-table\n")


@pytest.mark.parametrize(
    ("node", "command", "instead"),
    [
        ("r1", "ifconfig", "write `ip addr`"),
        ("r1", "tracert", "write `traceroute`"),
        ("r1", "nslookup", "write `dig`"),
        ("r1", "netstat -tln", "write `ss`"),
        ("r1", "netstat -rn", "write `ip route`"),
        ("r1", "netstat -nr", "write `ip route`"),
        ("r1", "netstat --route", "write `ip route`"),
        ("s1", "bridge", "write `mac-table`"),
        ("s1", "ifconfig", "there is mac-table"),
        ("web", "wget http://files/", "write `curl`"),
        ("web", "arp -n", "write `ip neigh`"),
        ("s1", "ovs-ofctl dump-flows s1", "write `mac-table`"),
        (
            "r1",
            "tc qdisc add dev eth0 root netem delay 80ms",
            "write `netsim link r1 PEER --delay 80ms --loss 5%`, which changes a link",
        ),
        (
            "web",
            "python3 server.py",
            "nodes run no real programs: write `run: module:function` in the topology file, or "
            "`net['web'].run(function)` in Python (docs/services.md)",
        ),
        (
            "web",
            "bash",
            "nodes have no shell: write a tool behind the node, such as "
            "`netsim exec web ping NODE`",
        ),
        (
            "web",
            "ssh files",
            "nodes have no shell: write a tool behind the node, such as "
            "`netsim exec web ping NODE`",
        ),
        (
            "web",
            "netperf -H files",
            "write `netsim iperf web NODE`, which measures how much it can send, or in a scenario "
            "the step `transfer` (docs/scenarios.md)",
        ),
        (
            "web",
            "nc -l 80",
            "`curl` speaks HTTP; for bytes of your own write asyncio in a function, and "
            "`run: module:function` in the topology file (docs/services.md)",
        ),
        ("web", "iptables -A INPUT", "write `netsim drop web PEER`, which lets packets vanish"),
        ("r1", "bridge", "there are curl, dig, ip, iperf3, ping, ss, traceroute"),
    ],
)
def test_tools_known_from_elsewhere(
    make_lab: MakeLab, node: str, command: str, instead: str
) -> None:
    tool, *options = command.split()
    outcome = make_lab(chain()).run(node, tool, *options)
    assert outcome.code == 127
    assert outcome.stderr == f"{tool}: no such tool at {node}; {instead}\n"


@pytest.mark.parametrize("node", ["r1", "s1"])
@pytest.mark.parametrize("tool", ["tcpdump", "tshark", "wireshark"])
def test_who_wants_to_see_packets_is_told_where(make_lab: MakeLab, node: str, tool: str) -> None:
    outcome = make_lab(chain()).run(node, tool, "-i", "eth0")
    assert outcome.code == 127
    assert "the step `capture` (docs/scenarios.md, Packets)" in outcome.stderr


def test_tools_of_another_kind_of_node_say_what_there_is(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    outcome = lab.run("s1", "ping", "web")
    assert (outcome.code, outcome.stdout) == (1, b"")
    assert outcome.stderr.startswith("ping: s1 is a switch and has no addresses; mac-table shows")
    outcome = lab.run("r1", "mac-table")
    assert (outcome.code, outcome.stdout) == (1, b"")
    assert (
        outcome.stderr == "mac-table: r1 is no switch; ip neigh shows the MAC addresses it knows\n"
    )


def test_the_names_of_the_tools() -> None:
    of_the_network = {"iperf3"}  # it has two ends
    assert tuple(sorted({*TOOLS, *of_the_network})) == tools.HOST_TOOLS
    assert tuple(SWITCH_TOOLS) == tools.SWITCH_TOOLS


@pytest.mark.parametrize("name", TOOLS)
def test_help_is_printed_and_ends_nothing_but_the_tool(make_lab: MakeLab, name: str) -> None:
    outcome = make_lab(chain()).run("alice", name, "--help")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.stdout.lower().startswith(f"usage: {name} ".encode())


def test_tools_run_on_routers(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    assert lab.run("r1", "ping", "-c", "1", "web").code == 0
    assert lab.run("r1", "traceroute", "alice").lines[-1].startswith(" 1  alice (10.0.1.10)  ")


def test_an_interruption_waits_until_the_program_has_cleaned_up(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    cleaned: list[float] = []

    async def program() -> int:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(1)
            cleaned.append(loop.time() - began)
        return 0

    async def interrupt_it(context: Context) -> int:
        asyncio.get_running_loop().call_later(2, context.interrupted.set)
        return await context.until_interrupted(program())

    assert lab.call("alice", interrupt_it(lab.context("alice"))) == 130
    assert cleaned == [pytest.approx(3)]


def test_what_a_program_raises_is_passed_on(make_lab: MakeLab) -> None:
    lab = make_lab(chain())

    async def program() -> int:
        raise LookupError("gone")

    async def run() -> int:
        return await lab.context("alice").until_interrupted(program())

    with pytest.raises(LookupError, match="gone"):
        lab.call("alice", run())


def test_only_curl_imports_aiohttp() -> None:
    code = "import sys, netsim.tools.named_tools; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
