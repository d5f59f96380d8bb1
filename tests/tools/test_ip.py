"""ip addr, ip route and ip neigh of a host in memory."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from plans import chain, plan_of
from tool_lab import MakeLab, make_lab

from netsim.core.time import SECOND
from netsim.wire.address import parse_ip

__all__ = ["make_lab"]


@pytest.mark.parametrize(
    "argv",
    [
        ["a"],
        ["addr"],
        ["address", "show"],
        ["-4", "addr", "list"],
        ["addr", "sh"],
    ],
)
def test_addresses(make_lab: MakeLab, argv: list[str]) -> None:
    outcome = make_lab(chain()).run("alice", "ip", *argv)
    assert outcome.lines == [
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65535 qdisc noqueue state UNKNOWN group default",
        "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00",
        "    inet 127.0.0.1/8 scope host lo",
        "       valid_lft forever preferred_lft forever",
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default",
        "    link/ether 02:00:00:01:00:00 brd ff:ff:ff:ff:ff:ff",
        "    inet 10.0.1.10/24 brd 10.0.1.255 scope global eth0",
        "       valid_lft forever preferred_lft forever",
    ]
    assert (outcome.code, outcome.stderr) == (0, "")


def test_links_are_addresses_without_addresses(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    addresses = lab.run("r1", "ip", "addr").lines
    links = lab.run("r1", "ip", "link").lines
    assert links == [line for line in addresses if re.match(r"\d|    link", line)]
    assert len(links) == 6
    (eth1,) = lab.run("r1", "ip", "-j", "l", "show", "eth1").document
    assert eth1["ifname"] == "eth1"
    assert "addr_info" not in eth1


def test_brief(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    assert [line.split() for line in lab.run("alice", "ip", "-br", "a").lines] == [
        ["lo", "UNKNOWN", "127.0.0.1/8"],
        ["eth0", "UP", "10.0.1.10/24"],
    ]
    assert lab.run("alice", "ip", "-br", "link").lines[1].split() == [
        "eth0",
        "UP",
        "02:00:00:01:00:00",
        "<BROADCAST,MULTICAST,UP,LOWER_UP>",
    ]


def test_statistics(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    lab.run("alice", "ping", "-c", "2", "-i", "0.2", "web")
    lab.run("alice", "ping", "-c", "1", "127.0.0.1")
    # As iproute2 6.1 prints them, to the blank: compared with `ip -s link` of Linux.
    assert lab.run("alice", "ip", "-s", "link").lines[2:6] == [
        "    RX:  bytes packets errors dropped  missed   mcast           ",
        "           196       2      0       0       0       0 ",
        "    TX:  bytes packets errors dropped carrier collsns           ",
        "           196       2      0       0       0       0 ",
    ]
    # An ARP request of 42 octets, and its answer; two echo requests of 98.
    (eth0,) = lab.run("alice", "ip", "-s", "-j", "addr", "show", "eth0").document
    assert (eth0["stats64"]["tx"]["bytes"], eth0["stats64"]["tx"]["packets"]) == (238, 3)
    assert (eth0["stats64"]["rx"]["bytes"], eth0["stats64"]["rx"]["packets"]) == (238, 3)
    address = lab.run("alice", "ip", "-s", "addr", "show", "eth0").lines
    assert address[2].startswith("    inet ")
    assert address[4].startswith("    RX:")
    brief = lab.run("alice", "ip", "-s", "-br", "link", "show", "eth0")
    assert (brief.code, len(brief.lines)) == (0, 1)


def test_statistics_of_what_was_not_sent(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    lab.network.port("alice", "eth0").transmit(bytes(1515), 0)
    lab.network.set_link("alice", "eth0", False)
    lab.network.port("alice", "eth0").transmit(bytes(60), 0)
    (eth0,) = lab.run("alice", "ip", "-s", "-j", "link", "show", "eth0").document
    assert eth0["stats64"]["tx"] == {
        "bytes": 1575,
        "packets": 2,
        "errors": 1,
        "dropped": 0,
        "carrier_errors": 1,
        "collisions": 0,
    }


def test_wide_statistics(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    lab.loop("alice").host.ip_input.looped_packets = 123_456_789
    lines = lab.run("alice", "ip", "-s", "link", "show", "lo").lines
    assert lines[2] == "    RX:  bytes   packets errors dropped  missed   mcast           "
    assert lines[3] == "    1728395046 123456789      0       0       0       0 "


@pytest.mark.parametrize("argv", [["dev", "eth1"], ["show", "dev", "eth1"], ["show", "eth1"]])
def test_one_interface(make_lab: MakeLab, argv: list[str]) -> None:
    outcome = make_lab(chain()).run("r1", "ip", "addr", *argv)
    assert outcome.lines[0].startswith("3: eth1: <")
    assert len(outcome.lines) == 4


def test_an_interface_without_carrier(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    lab.network.set_link("r1", "eth1", False)
    assert lab.run("r1", "ip", "a", "show", "eth1").lines[0] == (
        "3: eth1: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN "
        "group default"
    )
    assert "linkdown" in lab.run("r1", "ip", "route", "show", "dev", "eth1").lines[0]


def test_addresses_as_json(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    for outcome in (
        lab.run("alice", "ip", "-j", "addr", "show", "dev", "eth0"),
        lab.run("alice", "ip", "addr", "show", "dev", "eth0", json=True),
    ):
        (interface,) = outcome.document
        assert (interface["ifname"], interface["operstate"]) == ("eth0", "UP")
        assert interface["address"] == "02:00:00:01:00:00"
        (address,) = interface["addr_info"]
        assert (address["local"], address["prefixlen"]) == ("10.0.1.10", 24)
        assert address["broadcast"] == "10.0.1.255"


def test_routes_of_a_computer(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    lines = [
        "default via 10.0.1.1 dev eth0 proto netsim",
        "10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.10",
    ]
    for argv in (["r"], ["route"], ["ro", "show"]):
        assert lab.run("alice", "ip", *argv).lines == lines


def test_routes_of_a_router(make_lab: MakeLab) -> None:
    assert make_lab(chain()).run("r1", "ip", "route").lines == [
        "10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.1",
        "10.0.2.0/24 dev eth1 proto kernel scope link src 10.0.2.1",
        "10.0.3.0/24 via 10.0.2.2 dev eth1 proto netsim",
    ]


def test_given_routes_are_static_and_others_are_not(make_lab: MakeLab) -> None:
    plan = chain()
    (alice,) = (node for node in plan.nodes if node.name == "alice")
    given = replace(alice, routes=tuple(replace(each, given=True) for each in alice.routes))
    nodes = tuple(given if node is alice else node for node in plan.nodes)
    lines = make_lab(replace(plan, nodes=nodes)).run("alice", "ip", "route").lines
    assert lines[0] == "default via 10.0.1.1 dev eth0 proto static"


def test_routes_that_share(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice r1", "r1 r2", "r1 r3", "r2 r4", "r3 r4", "r4 web"))
    lines = lab.run("r1", "ip", "route").lines
    at = lines.index("10.0.6.0/24 proto netsim")
    hops = [
        "\tnexthop via 10.0.2.2 dev eth1 weight 1",
        "\tnexthop via 10.0.3.2 dev eth2 weight 1",
    ]
    assert lines[at + 1 : at + 3] == hops
    (entry,) = (
        each for each in lab.run("r1", "ip", "-j", "route").document if each["dst"] == "10.0.6.0/24"
    )
    assert [hop["dev"] for hop in entry["nexthops"]] == ["eth1", "eth2"]
    lab.network.set_link("r1", "eth1", False)
    assert hops[0] + " linkdown" in lab.run("r1", "ip", "route", "show", "dev", "eth2").lines


@pytest.mark.parametrize("words", [["show", "default"], ["default"]])
def test_the_default_route(make_lab: MakeLab, words: list[str]) -> None:
    lab = make_lab(chain())
    everything = lab.run("alice", "ip", "route").lines
    (line,) = lab.run("alice", "ip", "route", *words).lines
    assert line.startswith("default via ")
    assert line in everything
    assert len(everything) > 1


def test_routes_as_json(make_lab: MakeLab) -> None:
    default, connected = make_lab(chain()).run("alice", "ip", "--json", "route").document
    assert default == {
        "dst": "default",
        "gateway": "10.0.1.1",
        "dev": "eth0",
        "protocol": "netsim",
        "flags": [],
    }
    assert connected == {
        "dst": "10.0.1.0/24",
        "dev": "eth0",
        "protocol": "kernel",
        "scope": "link",
        "prefsrc": "10.0.1.10",
        "flags": [],
    }


@pytest.mark.parametrize(
    ("destination", "line"),
    [
        ("10.0.3.10", "10.0.3.10 via 10.0.1.1 dev eth0 src 10.0.1.10"),
        ("10.0.1.1", "10.0.1.1 dev eth0 src 10.0.1.10"),
        ("10.0.1.10", "local 10.0.1.10 dev lo src 10.0.1.10"),
    ],
)
def test_the_route_to_an_address(make_lab: MakeLab, destination: str, line: str) -> None:
    assert make_lab(chain()).run("alice", "ip", "route", "get", destination).lines == [line]


@pytest.mark.parametrize("destination", ["10.9.9.9", "fd00::1"])
def test_there_is_no_route(make_lab: MakeLab, destination: str) -> None:
    outcome = make_lab(plan_of("alice bob")).run("alice", "ip", "route", "get", destination)
    assert (outcome.code, outcome.stderr) == (2, "RTNETLINK answers: Network is unreachable\n")


def test_neighbours_age_and_fail(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    assert lab.run("alice", "ip", "neigh").lines == []
    lab.run("alice", "ping", "-c", "1", "10.0.1.77")
    lab.run("alice", "ping", "-c", "1", "web")
    assert lab.run("alice", "ip", "n").lines == [
        "10.0.1.77 dev eth0 FAILED",
        "10.0.1.1 dev eth0 lladdr 02:00:00:03:00:00 REACHABLE",
    ]
    lab.network.run_for(60 * SECOND)
    outcome = lab.run("alice", "ip", "-j", "neighbour", "show", "dev", "eth0")
    assert outcome.document[1] == {
        "dst": "10.0.1.1",
        "dev": "eth0",
        "lladdr": "02:00:00:03:00:00",
        "state": ["STALE"],
    }


@pytest.mark.parametrize(
    ("forget", "left"),
    [
        ("flush all", []),
        ("flush dev eth0", []),
        ("flush 10.0.1.1", ["10.0.1.77"]),
        ("flush to 10.0.1.77 dev eth0", ["10.0.1.1"]),
        ("flush dev lo", ["10.0.1.77", "10.0.1.1"]),
        ("del 10.0.1.1 dev eth0", ["10.0.1.77"]),
        ("delete dev eth0 to 10.0.1.77", ["10.0.1.1"]),
    ],
)
def test_neighbours_are_forgotten_and_asked_for_again(
    make_lab: MakeLab, forget: str, left: list[str]
) -> None:
    lab = make_lab(chain())
    lab.run("alice", "ping", "-c", "1", "10.0.1.77")
    lab.run("alice", "ping", "-c", "1", "web")
    outcome = lab.run("alice", "ip", "neigh", *forget.split())
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, b"", "")
    assert [line.split()[0] for line in lab.run("alice", "ip", "neigh").lines] == left
    lab.run("alice", "ping", "-c", "1", "web")
    assert lab.run("alice", "ip", "neigh").lines[-1].startswith("10.0.1.1 dev eth0 lladdr")


def test_what_waits_for_a_neighbour_that_is_forgotten_is_lost(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    udp = lab.network.host("alice").udp.bind(None, 0)
    udp.send(b"anybody?", (parse_ip("10.0.1.77"), 4000), lab.network.now)
    assert lab.run("alice", "ip", "neigh").lines == ["10.0.1.77 dev eth0 INCOMPLETE"]
    assert lab.run("alice", "ip", "neigh", "flush", "all").code == 0
    assert lab.network.host("alice").drops == {"neighbour-table": 1}
    lab.network.run_for(10 * SECOND)
    assert lab.run("alice", "ip", "neigh").lines == []


@pytest.mark.parametrize(
    ("forget", "code", "complaint"),
    [
        ("flush", 1, "Flush requires arguments."),
        ("flush dev eth9", 1, 'Device "eth9" does not exist.'),
        ("flush x", 1, 'Error: any valid address is expected rather than "x".'),
        ("del", 1, "Device and destination are required arguments."),
        ("del 10.0.1.1", 1, "Device and destination are required arguments."),
        ("del dev eth0", 1, "Device and destination are required arguments."),
        ("del 10.0.1.1 dev", 1, 'Command line is not complete. Try option "help"'),
        ("del 10.0.1.9 dev eth0", 2, "RTNETLINK answers: No such file or directory"),
    ],
)
def test_forgetting_what_is_not_there(
    make_lab: MakeLab, forget: str, code: int, complaint: str
) -> None:
    outcome = make_lab(chain()).run("alice", "ip", "neigh", *forget.split())
    assert (outcome.code, outcome.stdout, outcome.stderr) == (code, b"", f"{complaint}\n")


@pytest.mark.parametrize("thing", ["addr", "route", "neigh"])
def test_there_is_no_ipv6(make_lab: MakeLab, thing: str) -> None:
    outcome = make_lab(chain()).run("alice", "ip", "-6", thing)
    assert (outcome.code, outcome.stdout) == (0, b"")


@pytest.mark.parametrize(
    ("argv", "code", "complaint"),
    [
        ([], 255, "Usage: ip "),
        (["help"], 255, "Usage: ip "),
        (["-x", "addr"], 255, 'Option "-x" is unknown'),
        (["-s", "route"], 1, '"-s" is for "ip link" and "ip addr"'),
        (["-o", "addr"], 255, '"-o" is not there; "ip -br addr"'),
        (["tunnel"], 1, 'Object "tunnel" is unknown'),
        (["addr", "show", "dev"], 1, "Command line is not complete"),
        (["addr", "show", "eth9"], 1, 'Device "eth9" does not exist.'),
        (["addr", "add", "10.0.0.1/24", "dev", "eth0"], 1, "here they are shown"),
        (["route", "flush"], 1, "here they are shown"),
        (["addr", "show", "eth0", "up"], 1, '"up" is not understood'),
        (["route", "get"], 1, "an address is expected"),
        (["route", "get", "web"], 1, "an address is expected"),
    ],
)
def test_wrong_usage(make_lab: MakeLab, argv: list[str], code: int, complaint: str) -> None:
    outcome = make_lab(chain()).run("alice", "ip", *argv)
    assert (outcome.code, outcome.stdout) == (code, b"")
    assert complaint in outcome.stderr


@pytest.mark.parametrize(
    "argv",
    [["link", "set", "eth0", "down"], ["addr", "add", "10.0.0.1/24"], ["neigh", "add", "10.0.1.9"]],
)
def test_changes_are_refused(make_lab: MakeLab, argv: list[str]) -> None:
    outcome = make_lab(chain()).run("alice", "ip", *argv)
    assert (outcome.code, outcome.stdout) == (1, b"")
    assert outcome.stderr.endswith("topology file: here they are shown, not changed.\n")


def test_colours_and_details_change_nothing(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    plain = lab.run("alice", "ip", "addr").lines
    assert lab.run("alice", "ip", "-c", "-d", "addr").lines == plain
