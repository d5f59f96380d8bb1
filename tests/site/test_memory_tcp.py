"""TCP through the network in memory: whatever the links do, the bytes arrive."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from frames_seen import FramesSeen
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_runs import PORT, Transfer, ping, running
from plans import chain, plan_of
from tcp_streams import Flow, reassemble

from netsim.core.time import MICROSECOND, SECOND
from netsim.observe import pcapng
from netsim.site.port_tap import PortTap


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@settings(max_examples=12)
@given(
    size=st.integers(0, 60_000),
    seed=st.integers(0, 1000),
    loss=st.sampled_from([0, 2, 5]),
    reorder=st.sampled_from([0, 5, 20]),
    duplicate=st.sampled_from([0, 2, 10]),
    corrupt=st.sampled_from([0, 1, 3]),
    jitter=st.sampled_from([0, 3]),
    bandwidth=st.sampled_from(["5mbit", "1gbit"]),
    queue=st.sampled_from([5, 100]),
)
def test_a_transfer_survives_whatever_the_links_do(
    size: int,
    seed: int,
    loss: int,
    reorder: int,
    duplicate: int,
    corrupt: int,
    jitter: int,
    bandwidth: str,
    queue: int,
) -> None:
    attributes = (
        f"delay=4ms loss={loss}% reorder={reorder}% duplicate={duplicate}% corrupt={corrupt}% "
        f"jitter={jitter}ms bandwidth={bandwidth} queue={queue}"
    )
    data = noise(size, seed)
    with running(chain(attributes, seed)) as network:
        # A connection ends with the third loss of a question for a neighbour, as on Linux.
        assert any(ping(network, "alice", "web") for _ in range(20)), "neighbours are known now"
        transfer = Transfer(network, "alice", "web", data)
        assert transfer.run(3600 * SECOND) == data
        assert transfer.finished
        assert transfer.sender.error is None


def test_a_clean_path_carries_bulk_at_its_rate_without_one_retransmission() -> None:
    data = noise(1_000_000)
    with running(chain("delay=100us bandwidth=50mbit")) as network:
        transfer = Transfer(network, "alice", "web", data)
        assert transfer.run(10 * SECOND) == data
        # 1448 of 1514 bytes are payload, after a slow start over a short path.
        ideal = len(data) * 8 * SECOND / 50_000_000 * 1514 / 1448
        assert ideal < network.now < ideal * 1.1
        assert network.host("alice").tcp.counters.retransmissions == 0
        assert not network.host("web").drops


def test_segments_shrink_to_the_path_mtu() -> None:
    plan = plan_of("c1 r1 delay=1ms", "r1 r2 delay=1ms mtu=1000", "r2 c2 delay=1ms")
    data = noise(100_000)
    with running(plan) as network:
        transfer = Transfer(network, "c1", "c2", data)
        assert transfer.run(60 * SECOND) == data
        assert network.now < 5 * SECOND, "not by waiting for a time-out again and again"
        assert network.host("r1").drops["too-big"] > 0
        assert network.host("c1").ip.mtu_to(plan.hosts["c2"]) == 1000
        assert network.accounts()["r1/eth1"].dropped == {}


def test_a_connection_to_a_closed_port_is_refused() -> None:
    with running(chain()) as network:
        connection = network.host("alice").tcp.connect((network.plan.hosts["web"], 81), 0)
        network.run_until(SECOND, lambda: connection.closed)
        assert connection.error is not None
        assert network.now < 100_000 * MICROSECOND


def test_a_host_talks_tcp_with_itself() -> None:
    data = noise(300_000)
    with running(chain()) as network:
        transfer = Transfer(network, "alice", "alice", data)
        assert transfer.run(SECOND) == data
        assert network.accounts()["alice/eth0"].sent == 0


def test_tshark_finds_nothing_wrong_with_a_whole_exchange(tmp_path: Path) -> None:
    body = b"".join(b"line %d of a page\n" % number for number in range(6000))
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    request = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
    file = tmp_path / "exchange.pcapng"
    ring = FramesSeen()
    with file.open("wb") as stream, running(chain("delay=2ms bandwidth=20mbit")) as network:
        port = network.port("r1", "eth0")
        stream.write(pcapng.section("r1") + pcapng.interface("eth0"))
        target = pcapng.CaptureTarget("", {"eth0": 0}, 1_700_000_000 * SECOND)
        PortTap(port, 0, lambda frame: True, pcapng.PcapngAppender(stream, target).add)
        port.taps.append(ring)
        ping(network, "alice", "web")
        ping(network, "alice", "web", ttl=1)
        udp = network.host("alice").udp.bind(None, 0)
        udp.send(b"anybody?", (network.plan.hosts["web"], 4000), network.now)
        alice, web = network.host("alice"), network.host("web")
        listener = web.tcp.listen(None, PORT)
        address = network.plan.hosts["web"]
        client = alice.tcp.connect((address, PORT), network.now)
        client.send(request)
        network.run_for(SECOND)
        server = listener.accept()
        assert server is not None
        assert server.receive() == request
        server.send(response + body)
        server.shutdown()
        received = b""
        while not client.at_eof and network.now < 60 * SECOND:
            network.run_for(10_000 * MICROSECOND)
            received += client.receive()
        client.shutdown()
        network.run_for(SECOND)
        assert received == response + body
        assert len(udp.errors) == 1
        captured = reassemble(row.frame for row in ring.frames)
        assert captured[Flow(*client.local, *client.remote)] == request
        assert captured[Flow(*client.remote, *client.local)] == response + body
    fields = [
        "frame.protocols",
        "_ws.expert.severity",
        "_ws.expert.message",
        "_ws.malformed",
        "ip.checksum.status",
        "tcp.checksum.status",
        "udp.checksum.status",
        "icmp.checksum.status",
    ]
    rows = tshark(file, fields)
    protocols = {row["frame.protocols"].split(":")[-1] for row in rows}
    assert {"arp", "data", "tcp", "data-text-lines"} <= protocols
    assert len(rows) == len(ring.frames) > 80
    for row in rows:
        # Severities are bits: chat 0x200000, note 0x400000, warning 0x600000, error 0x800000.
        severities = [int(each) for each in row["_ws.expert.severity"].split(",") if each]
        assert all(severity < 0x600000 for severity in severities), row
        assert not row["_ws.malformed"], row
        for field in fields[4:]:
            # 1 is good; an ICMP error quotes further headers, whose checksums are not verified.
            assert set(row[field].split(",")) <= {"", "1", "2"}, row
    assert {row["tcp.checksum.status"] for row in rows} == {"", "1"}
    assert all(row["ip.checksum.status"].startswith(("1", "")) for row in rows)


def tshark(file: Path, fields: list[str]) -> list[dict[str, str]]:
    command = ["tshark", "-r", str(file), "-T", "fields", "-E", "separator=|"]
    for protocol in ("ip", "tcp", "udp"):
        command += ["-o", f"{protocol}.check_checksum:TRUE"]
    for field in fields:
        command += ["-e", field]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [dict(zip(fields, line.split("|"), strict=True)) for line in run.stdout.splitlines()]
