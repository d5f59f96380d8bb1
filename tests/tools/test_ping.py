"""ping through a network in memory."""

from __future__ import annotations

import pytest
from plans import chain, plan_of
from tool_lab import MakeLab, make_lab

from netsim.core.time import SECOND
from netsim.tools.context import Context
from netsim.wire.address import format_ip, parse_ip

__all__ = ["make_lab"]


def test_a_reachable_host_answers_each_request(make_lab: MakeLab) -> None:
    lab = make_lab(chain("delay=1ms"))
    lab.run("alice", "ping", "-c", "1", "web")  # resolves the neighbours
    outcome = lab.run("alice", "ping", "-c", "3", "web")
    assert outcome.lines == [
        "PING web (10.0.3.10) 56(84) bytes of data.",
        "64 bytes from web (10.0.3.10): icmp_seq=1 ttl=62 time=10.0 ms",
        "64 bytes from web (10.0.3.10): icmp_seq=2 ttl=62 time=10.0 ms",
        "64 bytes from web (10.0.3.10): icmp_seq=3 ttl=62 time=10.0 ms",
        "",
        "--- web ping statistics ---",
        "3 packets transmitted, 3 received, 0% packet loss, time 2010ms",
        "rtt min/avg/max/mdev = 10.000/10.000/10.000/0.000 ms",
    ]
    assert (outcome.code, outcome.stderr) == (0, "")


def test_names_are_not_looked_for_when_numbers_are_wanted(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    for argv in (["-n", "web"], ["10.0.3.10"]):
        assert "64 bytes from 10.0.3.10: " in lab.run("alice", "ping", "-c1", *argv).lines[1]


def test_size_and_quiet(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    outcome = lab.run("alice", "ping", "-c", "2", "-s", "1000", "web.test.test")
    assert outcome.lines[0] == "PING web.test.test (10.0.3.10) 1000(1028) bytes of data."
    assert outcome.lines[1].startswith("1008 bytes from web (10.0.3.10): ")
    quiet = lab.run("alice", "ping", "-q", "-c", "2", "web")
    assert quiet.lines[1:3] == ["", "--- web ping statistics ---"]


def test_a_ttl_that_is_too_small_is_reported_by_the_router(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    outcome = lab.run("alice", "ping", "-c", "1", "-t", "1", "web")
    assert outcome.lines[1] == "From r1 (10.0.1.1) icmp_seq=1 Time to live exceeded"
    assert "1 packets transmitted, 0 received, +1 errors, 100% packet loss" in outcome.lines[4]
    assert outcome.code == 1


def test_nobody_at_that_address(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    outcome = lab.run("alice", "ping", "-c", "2", "10.0.1.77")
    mine = "From 10.0.1.10"
    assert outcome.lines[1:3] == [
        f"{mine} icmp_seq=1 Destination Host Unreachable",
        f"{mine} icmp_seq=2 Destination Host Unreachable",
    ]
    assert outcome.code == 1


def test_an_unknown_name(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "ping", "nowhere")
    assert (outcome.code, outcome.stdout) == (2, b"")
    assert outcome.stderr == "ping: nowhere: Name or service not known\n"


def test_no_route_at_all(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice bob"))
    outcome = lab.run("alice", "ping", "-c", "1", "10.9.9.9")
    assert (outcome.code, outcome.stderr) == (2, "ping: connect: Network is unreachable\n")


def test_a_request_too_large_for_the_link_never_leaves(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    for options, sent, lasting in (("-c 1", 1, 1), ("-c 2 -i 0.2", 2, 0.4), ("-c 2 -w 5", 1, 1)):
        started = lab.network.now
        argv = ["ping", *options.split(), "-s", "1473", "-M", "do", "web"]
        outcome = lab.run("alice", *argv)
        assert outcome.stderr == "ping: local error: message too long, mtu=1500\n" * sent
        assert outcome.code == 1
        assert f"{sent} packets transmitted, 0 received, +{sent} errors" in outcome.lines[-2]
        # iputils 20221126 ends when the next request would be due.
        assert lab.network.now - started == pytest.approx(lasting * SECOND, rel=0.01)


def test_a_request_too_large_for_the_link_goes_in_fragments(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice r1", "r1 r2 mtu=576", "r2 web"))
    outcome = lab.run("alice", "ping", "-c", "2", "-s", "4000", "-M", "dont", "web")
    assert outcome.lines[0].endswith(" 4000(4028) bytes of data.")
    assert [line[:19] for line in outcome.lines[1:3]] == ["4008 bytes from web"] * 2
    assert outcome.code == 0


def test_a_path_tells_its_mtu_to_who_wants_to_know(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice r1", "r1 r2 mtu=1000", "r2 web"))
    outcome = lab.run("alice", "ping", "-c", "3", "-s", "1400", "web")
    assert "icmp_seq=1 Frag needed and DF set (mtu = 1000)" in outcome.lines[1]
    assert "2 received, +1 errors" in outcome.lines[-2]
    refused = lab.run("alice", "ping", "-c", "1", "-s", "1400", "-M", "do", "web")
    assert refused.stderr == "ping: local error: message too long, mtu=1000\n"
    probed = lab.run("alice", "ping", "-c", "1", "-s", "1400", "-M", "probe", "web")
    assert "Frag needed and DF set (mtu = 1000)" in probed.lines[1]


def test_the_route_is_recorded_there_and_back(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice r1", "r1 r2", "r2 web"))
    outcome = lab.run("alice", "ping", "-n", "-c", "2", "-R", "web")
    alice, web = lab.network.plan.hosts["alice"], lab.network.plan.hosts["web"]
    names = [lab.context("alice").name_of(address) for address in (alice, web)]
    assert names == ["alice", "web"]
    assert outcome.lines[0].endswith(" 56(124) bytes of data.")
    assert outcome.lines[2].startswith("RR: \t" + format_ip(alice))
    route = [line.split("\t")[1] for line in outcome.lines[2:10]]
    owners = [lab.context("alice").name_of(parse_ip(address)) for address in route]
    assert owners == ["alice", "r1", "r2", "web", "web", "r2", "r1", "alice"]
    assert outcome.lines[10] == ""
    assert outcome.lines[11].endswith("\t(same route)")
    document = lab.run("alice", "ping", "-c", "1", "-R", "web", json=True).document
    assert document["replies"][0]["route"] == route


def test_the_own_address_answers(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "ping", "-c", "1", "127.0.0.1")
    assert outcome.code == 0


def test_the_last_request_is_waited_for_two_round_trips(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice web delay=400ms"))
    lab.run("alice", "ping", "-c", "1", "web")

    def cut_the_cable(context: Context) -> None:
        context.loop.call_later(1.5, lab.network.set_link, "alice", "eth0", False)

    started = lab.network.now
    outcome = lab.run("alice", "ping", "-c", "2", "web", meanwhile=cut_the_cable)
    assert "2 packets transmitted, 1 received, 50% packet loss" in outcome.lines[-2]
    assert lab.network.now - started == pytest.approx(2.6 * SECOND)


def test_before_the_first_answer_the_time_of_the_option_counts(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice web delay=400ms"))
    lab.run("alice", "ping", "-c", "1", "web")
    started = lab.network.now
    outcome = lab.run("alice", "ping", "-c", "1", "-W", "0.5", "web")
    assert outcome.code == 1
    assert lab.network.now - started == pytest.approx(0.5 * SECOND)


def test_duplicates(make_lab: MakeLab) -> None:
    lab = make_lab(plan_of("alice web delay=1ms duplicate=100%"))
    outcome = lab.run("alice", "ping", "-c", "2", "-i", "0.2", "web")
    marked = [line for line in outcome.lines if line.endswith("(DUP!)")]
    assert marked
    assert f"2 packets transmitted, 2 received, +{len(marked)} duplicates" in outcome.lines[-2]


def test_the_interval_is_kept(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    outcome = lab.run("alice", "ping", "-c", "5", "-i", "0.01", "web", json=True)
    assert outcome.document["received"] == 5
    assert outcome.document["time_ms"] < 100


def test_the_deadline_ends_it(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    started = lab.network.now
    outcome = lab.run("alice", "ping", "-w", "2.5", "web")
    assert lab.network.now - started == pytest.approx(2.5 * SECOND)
    assert "3 packets transmitted, 3 received" in outcome.lines[-2]
    assert outcome.code == 0
    assert lab.run("alice", "ping", "-w", "1.5", "-c", "5", "web").code == 1


def test_interruption_prints_what_was_found_so_far(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "ping", "web", interrupt_after=1.5)
    assert "2 packets transmitted, 2 received, 0% packet loss" in outcome.lines[-2]
    assert outcome.code == 0


def test_json_has_both_clocks(make_lab: MakeLab) -> None:
    outcome = make_lab(chain("delay=1ms")).run("alice", "ping", "-c", "2", "web", json=True)
    document = outcome.document
    assert (document["target"], document["address"]) == ("web", "10.0.3.10")
    assert [reply["sequence"] for reply in document["replies"]] == [1, 2]
    second = document["replies"][1]
    assert (second["from"], second["ttl"], second["bytes"]) == ("10.0.3.10", 62, 64)
    assert (second["rtt_ms"], second["wall_rtt_ms"]) == (10.0, 0.001)
    assert document["failures"] == []
    assert document["rtt_ms"]["max"] == document["replies"][0]["rtt_ms"]


def test_json_has_failures(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "ping", "-c1", "-t1", "web", json=True)
    failure = {"sequence": 1, "from": "10.0.1.1", "message": "Time to live exceeded"}
    assert outcome.document["failures"] == [failure]
    assert outcome.code == 1


def test_two_at_once_do_not_take_each_others_answers(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    loop = lab.loop("alice")
    first, second = loop.open_echo(), loop.open_echo()
    assert first.identifier != second.identifier
    first.close()
    second.close()
    lab.run("alice", "ping", "-c", "1", "web")
    assert not loop.host.icmp.echo_sockets(), "ping gives its identifier back"


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["-c", "0", "web"],
        ["-c", "x", "web"],
        ["-i", "0", "web"],
        ["-M", "never", "web"],
        ["-i", "nan", "web"],
        ["-s", "65508", "web"],
        ["-t", "256", "web"],
        ["-W", "-1", "web"],
        ["--wrong", "web"],
        ["-b", "web"],
        ["web", "more"],
    ],
)
def test_wrong_usage(make_lab: MakeLab, argv: list[str]) -> None:
    outcome = make_lab(chain()).run("alice", "ping", *argv)
    assert (outcome.code, outcome.stdout) == (2, b"")
    assert outcome.stderr.startswith("usage: ping ")
    assert "ping: " in outcome.stderr.splitlines()[-1]


def test_a_flood_prints_no_lines(make_lab: MakeLab) -> None:
    lab = make_lab(chain("delay=1ms"))
    begun = lab.network.now
    outcome = lab.run("alice", "ping", "-f", "-c", "100", "web")
    assert "100 packets transmitted, 100 received, 0% packet loss" in outcome.stdout.decode()
    assert len([line for line in outcome.lines if line]) == 4
    assert lab.network.now - begun < 1.2 * SECOND


@pytest.mark.parametrize("address", ["255.255.255.255", "10.0.1.255"])
def test_a_broadcast_is_refused_as_iputils_does(make_lab: MakeLab, address: str) -> None:
    outcome = make_lab(chain()).run("alice", "ping", "-c", "1", address)
    assert (outcome.code, outcome.stdout) == (2, b"")
    assert outcome.stderr == (
        "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n"
    )
