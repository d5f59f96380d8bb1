"""`ping -I`, `traceroute -s`, `-i`, `curl --interface`: where what a tool sends comes from."""

from __future__ import annotations

import pytest
from plans import plan_of
from tool_lab import Lab, MakeLab, make_lab

from netsim.wire import ipv4

__all__ = ["make_lab"]

# alice has two ways to web: over r1 (10.0.1.0/24) and over r2 (10.0.2.0/24).
DIAMOND = ("alice r1", "alice r2", "r1 web", "r2 web", "r1 r2")


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    return make_lab(plan_of(*DIAMOND))


def sources(lab: Lab) -> set[str]:
    """Of the packets that web has got since."""
    found = set()
    host = lab.loop("web").host
    deliver = host.ip_input._deliver

    def watch(header: ipv4.Ipv4Header, packet: bytes, now: int) -> None:
        found.add(".".join(map(str, header.source)))
        deliver(header, packet, now)

    host.ip_input._deliver = watch  # type: ignore[method-assign]
    return found


def test_ping_from_an_address(lab: Lab) -> None:
    seen = sources(lab)
    outcome = lab.run("alice", "ping", "-c", "1", "-I", "10.0.2.10", "web")
    assert outcome.lines[0] == "PING web (10.0.4.10) from 10.0.2.10 : 56(84) bytes of data."
    assert (outcome.code, outcome.stderr, seen) == (0, "", {"10.0.2.10"})


def test_ping_from_an_interface_leaves_by_it(lab: Lab) -> None:
    seen = sources(lab)
    outcome = lab.run("r1", "ping", "-c", "1", "-I", "eth1", "web")
    assert outcome.lines[0] == "PING web (10.0.4.10) from 10.0.4.1 eth1: 56(84) bytes of data."
    assert (outcome.code, seen) == (0, {"10.0.4.1"})
    # The route leads elsewhere: as in Linux, web is looked for on that link.
    outcome = lab.run("r1", "ping", "-c", "1", "-I", "eth2", "web")
    assert outcome.lines[1] == "From r1 (10.0.3.1) icmp_seq=1 Destination Host Unreachable"
    assert outcome.code == 1


def test_ping_from_an_interface_without_a_carrier(lab: Lab) -> None:
    lab.network.set_link("r1", "eth1", False)
    outcome = lab.run("r1", "ping", "-c", "1", "-I", "eth1", "10.0.4.10")
    assert (outcome.code, outcome.stderr) == (2, "ping: connect: Network is unreachable\n")


@pytest.mark.parametrize(
    ("tool", "code", "message"),
    [
        ("ping -I 10.9.9.9 web", 2, "ping: bind: Cannot assign requested address\n"),
        ("ping -I eth7 web", 2, "ping: SO_BINDTODEVICE eth7: No such device\n"),
        ("traceroute -s 10.9.9.9 web", 1, "bind: Cannot assign requested address\n"),
        ("traceroute -i eth7 web", 1, "setsockopt SO_BINDTODEVICE: No such device\n"),
        (
            "curl --interface 10.9.9.9 http://web/",
            45,
            "curl: (45) bind failed with errno 99: Cannot assign requested address\n",
        ),
        ("curl --interface eth7 http://web/", 45, "curl: (45) Couldn't bind to 'eth7'\n"),
    ],
)
def test_an_address_of_somebody_else_is_refused_as_by_the_originals(
    lab: Lab, tool: str, code: int, message: str
) -> None:
    outcome = lab.run("alice", *tool.split())
    assert (outcome.code, outcome.stdout, outcome.stderr) == (code, b"", message)


@pytest.mark.parametrize("probes", [[], ["-I"], ["-T"]])
def test_traceroute_from_an_address(lab: Lab, probes: list[str]) -> None:
    seen = sources(lab)
    outcome = lab.run("alice", "traceroute", *probes, "-s", "10.0.2.10", "web")
    assert outcome.lines[-1].startswith(" 2  web (10.0.4.10)")
    assert (outcome.code, seen) == (0, {"10.0.2.10"})


@pytest.mark.parametrize("probes", [[], ["-I"], ["-T"]])
def test_traceroute_from_an_interface_leaves_by_it(lab: Lab, probes: list[str]) -> None:
    seen = sources(lab)
    # The route leads elsewhere: web is looked for on that link.
    outcome = lab.run("r1", "traceroute", *probes, "-q", "1", "-i", "eth2", "web")
    assert outcome.lines[1:] == [" 1  r1 (10.0.3.1)  3000.000 ms !H"]
    outcome = lab.run("r1", "traceroute", *probes, "-i", "eth1", "web")
    assert outcome.lines[-1].startswith(" 1  web (10.0.4.10)")
    assert (outcome.code, seen) == (0, {"10.0.4.1"})


def test_traceroute_from_a_name_is_a_mistake(lab: Lab) -> None:
    outcome = lab.run("alice", "traceroute", "-s", "eth0", "web")
    assert outcome.code == 2
    assert "'eth0' is not an address" in outcome.stderr


@pytest.mark.parametrize("source", ["10.0.2.10", "eth1"])
def test_curl_from_an_address_or_an_interface(lab: Lab, source: str) -> None:
    seen = sources(lab)
    outcome = lab.run("alice", "curl", "--interface", source, "http://web:81/")
    assert outcome.stderr.startswith("curl: (7) Failed to connect to web port 81")
    assert seen == {"10.0.2.10"}
