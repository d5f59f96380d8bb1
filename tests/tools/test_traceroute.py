"""traceroute through a network in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from plans import chain, plan_of
from tool_lab import Lab, MakeLab, make_lab

from netsim.core.time import SECOND

__all__ = ["make_lab"]


def warmed(lab: Lab) -> Lab:
    """With all neighbours resolved."""
    lab.run("alice", "ping", "-c", "1", "web")
    return lab


def test_every_router_and_the_target(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    outcome = lab.run("alice", "traceroute", "web")
    assert outcome.lines == [
        "traceroute to web (10.0.3.10), 30 hops max, 60 byte packets",
        " 1  r1 (10.0.1.1)  4.000 ms  4.000 ms  4.000 ms",
        " 2  r2 (10.0.2.2)  6.000 ms  6.000 ms  6.000 ms",
        " 3  web (10.0.3.10)  10.000 ms  10.000 ms  10.000 ms",
    ]
    assert (outcome.code, outcome.stderr) == (0, "")


def test_with_icmp_numeric_and_one_query(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    outcome = lab.run("alice", "traceroute", "-I", "-n", "-q", "1", "web")
    assert outcome.lines[1:] == [
        " 1  10.0.1.1  4.000 ms",
        " 2  10.0.2.2  6.000 ms",
        " 3  10.0.3.10  10.000 ms",
    ]


@pytest.mark.parametrize("kind", [[], ["-I"], ["-T"]])
def test_probes_that_are_answered_late_are_no_fault(make_lab: MakeLab, kind: list[str]) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    host = lab.loop("alice").host
    before = dict(host.drops)
    lab.run("alice", "traceroute", *kind, "web")
    lab.network.run_for(SECOND)
    assert dict(host.drops) == before


def test_a_first_hop_and_a_port(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    outcome = lab.run("alice", "traceroute", "-f", "2", "-q", "1", "web")
    assert outcome.lines[1:] == [
        " 2  r2 (10.0.2.2)  6.000 ms",
        " 3  web (10.0.3.10)  10.000 ms",
    ]
    document = lab.run("alice", "traceroute", "-f", "3", "-I", "web", json=True).document
    assert [hop["ttl"] for hop in document["hops"]] == [3]
    assert document["reached"]
    listening = lab.loop("web").host.udp.bind(None, 4000)
    lab.run("alice", "traceroute", "-p", "4000", "-q", "1", "web")
    assert listening.receive() is not None
    assert lab.run("alice", "traceroute", "-f", "5", "-m", "4", "web").code == 2


@pytest.mark.parametrize("listens", [True, False])
def test_tcp_syns_open_no_connection(make_lab: MakeLab, listens: bool) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    alice, web = lab.loop("alice").host, lab.loop("web").host
    listener = web.tcp.listen(None, 8080 if listens else 80)
    resets = web.tcp.counters.resets_out
    outcome = lab.run("alice", "traceroute", "-T", "-p", "8080", "-q", "2", "web")
    assert outcome.lines == [
        "traceroute to web (10.0.3.10), 30 hops max, 60 byte packets",
        " 1  r1 (10.0.1.1)  4.000 ms  4.000 ms",
        " 2  r2 (10.0.2.2)  6.000 ms  6.000 ms",
        " 3  web (10.0.3.10)  10.000 ms  10.000 ms",
    ]
    lab.network.run_for(SECOND)
    assert (alice.tcp.connections(), web.tcp.connections()) == ([], [])
    assert not listener.waiting
    assert (web.tcp.counters.resets_out > resets) is not listens
    assert not alice.ready


def test_tcp_goes_to_port_80_and_not_with_icmp(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    lab.loop("web").host.tcp.listen(None, 80)
    document = lab.run("alice", "traceroute", "-T", "web", json=True).document
    assert document["reached"]
    assert lab.loop("web").host.tcp.counters.resets_out == 0
    assert "exclude each other" in lab.run("alice", "traceroute", "-T", "-I", "web").stderr


def test_a_maximum_of_hops(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "traceroute", "-m", "2", "web", "100", json=True)
    document = outcome.document
    assert [hop["ttl"] for hop in document["hops"]] == [1, 2]
    assert (document["reached"], document["packet_bytes"]) == (False, 100)


@pytest.mark.parametrize("kind", [[], ["-I"], ["-T"]])
def test_a_host_that_is_not_there(make_lab: MakeLab, kind: list[str]) -> None:
    lab = warmed(make_lab(chain()))
    outcome = lab.run("alice", "traceroute", "-q", "1", *kind, "10.0.3.77")
    assert outcome.lines[-2] == " 2  r2 (10.0.2.2)  6.000 ms"
    assert outcome.lines[-1] == " 3  r2 (10.0.2.2)  3006.000 ms !H"


def test_a_host_that_is_not_there_in_the_own_subnet(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "traceroute", "-q", "2", "10.0.1.77")
    assert outcome.lines[1].startswith(" 1  alice (10.0.1.10)  3000.000 ms !H  ")
    assert len(outcome.lines) == 2


def test_a_subnet_that_does_not_exist(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "traceroute", "-q1", "10.77.0.1")
    assert outcome.lines[-1].endswith(" ms !N")


def test_no_route_at_all(make_lab: MakeLab) -> None:
    outcome = make_lab(plan_of("alice bob")).run("alice", "traceroute", "10.9.9.9")
    assert (outcome.code, outcome.stderr) == (1, "traceroute: send: Network is unreachable\n")


def test_a_silent_hop_is_a_star(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    r1: Any = lab.network.host("r1")
    r1.icmp.send_error = lambda *arguments, **options: None
    started = lab.network.now
    outcome = lab.run("alice", "traceroute", "web")
    assert outcome.lines[1:3] == [
        " 1  * * *",
        " 2  r2 (10.0.2.2)  6.000 ms  6.000 ms  6.000 ms",
    ]
    # Those further on have answered, so it is not waited for as long as -w allows.
    assert lab.network.now - started < SECOND


def test_a_target_that_swallows_everything(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    web: Any = lab.network.host("web")
    web.ip_input.receive = lambda *arguments: None
    outcome = lab.run("alice", "traceroute", "-m", "5", "-w", "2", "-q", "2", "web")
    assert outcome.lines[3:] == [" 3  * *", " 4  * *", " 5  * *"]
    assert outcome.code == 0


def test_a_program_that_listens_on_the_port_is_the_target_too(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.DatagramTransport)
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            self.transport.sendto(data, addr)

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        for port in range(33434, 33450):
            await loop.create_datagram_endpoint(Echo, ("0.0.0.0", port))

    lab.call("web", listen())
    outcome = lab.run("alice", "traceroute", "web")
    assert outcome.lines[-1] == " 3  web (10.0.3.10)  10.000 ms  10.000 ms  10.000 ms"


def test_probes_are_one_flow_and_show_one_way(make_lab: MakeLab) -> None:
    """Two choices between four routers each: of 16 ways a mixture would seldom be one."""
    choices = [f"r1 r2{way}" for way in range(4)] + [f"r2{way} r3" for way in range(4)]
    choices += [f"r3 r4{way}" for way in range(4)] + [f"r4{way} r5" for way in range(4)]
    lab = warmed(make_lab(plan_of("alice r1", *choices, "r5 web")))
    for argv in ([], ["-I"], ["-q", "9"]):
        lines = lab.run("alice", "traceroute", *argv, "web").lines[1:]
        assert len(lines) == 6
        for line in lines:
            assert line.count("(") == 1, "one name for all probes of a hop"


def test_json(make_lab: MakeLab) -> None:
    lab = warmed(make_lab(chain("delay=1ms")))
    document = lab.run("alice", "traceroute", "-q", "1", "web", json=True).document
    assert (document["target"], document["reached"]) == ("web", True)
    assert [hop["probes"][0]["name"] for hop in document["hops"]] == ["r1", "r2", "web"]
    first = document["hops"][0]["probes"][0]
    assert (first["from"], first["rtt_ms"], first["mark"]) == ("10.0.1.1", 4.0, None)
    assert 0 < first["wall_rtt_ms"] < 1


def test_interruption(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice web loss=100%"))
    started = lab.network.now
    outcome = lab.run("alice", "traceroute", "10.0.1.77", interrupt_after=0.5)
    assert outcome.code == 130
    assert lab.network.now - started == pytest.approx(SECOND / 2)


def test_an_unknown_name(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "traceroute", "nowhere")
    assert (outcome.code, outcome.stdout) == (2, b"")
    assert outcome.stderr.startswith("nowhere: Name or service not known\n")


@pytest.mark.parametrize("argv", [[], ["-m", "0", "web"], ["-q", "11", "web"], ["web", "27"]])
def test_wrong_usage(make_lab: MakeLab, argv: list[str]) -> None:
    outcome = make_lab(chain()).run("alice", "traceroute", *argv)
    assert (outcome.code, outcome.stdout) == (2, b"")
    assert outcome.stderr.startswith("usage: traceroute ")
