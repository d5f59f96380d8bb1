"""The kernel's own programs against simulated computers, and the other way round."""

from __future__ import annotations

import json
import re
import sys
import textwrap
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kernel_lab import DEAF, HOLE, LAB, NARROW, WEB, Lab
from kernel_side import pattern

pytestmark = [pytest.mark.xdist_group("kernel"), pytest.mark.timeout(120)]

CONNECT = f"""\
import socket, struct, time
def connect(port, **options):
    sock = socket.socket()
    sock.settimeout(20)
    for name, value in options.items():
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
    sock.connect(("{WEB}", port))
    return sock
def read_all(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data
"""


def client(lab: Lab, program: str) -> Any:
    """What a program with the kernel's sockets prints, as JSON."""
    return json.loads(lab.kernel.python(CONNECT + textwrap.dedent(program)))


# ping


@pytest.mark.parametrize("size", [0, 16, 56, 1472, 1473, 9000, 65_507])
def test_ping_of_every_size(lab: Lab, size: int) -> None:
    lab.kernel.run("ping", "-c", "2", "-i", "0.2", "-W", "3", "-s", str(size), WEB)


def test_ping_that_must_not_be_fragmented(lab: Lab) -> None:
    lab.kernel.run("ping", "-c", "1", "-W", "3", "-M", "do", "-s", "972", NARROW)
    lab.kernel.shell("ip route flush cache")
    refused = lab.kernel.run(
        "ping", "-c", "1", "-W", "3", "-M", "do", "-s", "1400", NARROW, check=False
    )
    assert refused.returncode == 1
    assert re.search(r"From 10\.0\.1\.1 .*Frag needed and DF set \(mtu = 1000\)", refused.stdout)


def test_ping_from_a_simulated_computer(lab: Lab) -> None:
    for size in ("56", "1472", "9000"):
        lab.netsim("exec", "web", "ping", "-c", "2", "-i", "0.2", "-s", size, "lab")


def test_the_device_has_a_carrier_while_its_cable_and_its_node_are_up(lab: Lab) -> None:
    def carrier() -> str:
        return lab.kernel.shell("ip -o link show tap0")

    assert "NO-CARRIER" not in carrier()
    lab.netsim("link", "lab", "r1", "--down")
    assert "NO-CARRIER" in carrier()
    lab.netsim("link", "lab", "r1", "--up")
    assert "NO-CARRIER" not in carrier()
    lab.netsim("node", "lab", "kill")
    assert "NO-CARRIER" in carrier()
    lab.netsim("node", "lab", "start")
    lab.kernel.run("ping", "-c", "3", "-i", "0.3", "-W", "3", WEB)


def test_inspect_and_pingall_know_it(lab: Lab) -> None:
    facts = json.loads(lab.netsim("inspect", "lab", "--json").stdout)
    assert (facts["attach"], facts["state"]) == ("tap:tap0", "running")
    assert facts["interfaces"][0]["addresses"] == [f"{LAB}/24"]
    pings = json.loads(lab.netsim("pingall", "--json").stdout)["pings"]
    assert {ping["from"] for ping in pings} == {"web", "narrow", "deaf"}
    assert {ping["to"] for ping in pings if ping["rtt_ms"] is not None} >= {"lab", "web"}
    refused = lab.netsim("exec", "lab", "ping", "web", check=False)
    assert refused.returncode == 1
    assert "lab is attached to tap:tap0" in refused.stderr


# HTTP


def test_curl_of_the_kernel(lab: Lab, tmp_path: Path) -> None:
    for count in (0, 1, 1460, 500_000):
        got = tmp_path / "got"
        lab.kernel.run("curl", "-sS", "--fail", "-o", got, f"http://{WEB}/bytes/{count}")
        assert got.read_bytes() == pattern(count)
    sent = tmp_path / "sent"
    sent.write_bytes(pattern(700_000))
    put = lab.kernel.run("curl", "-sS", "--fail", "-T", sent, f"http://{WEB}/count")
    assert put.stdout == "700000"


def test_curl_of_a_simulated_computer(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(pattern(500_000))
    server = (sys.executable, "-m", "http.server", "8000", "--bind", LAB, "-d", tmp_path)
    got = tmp_path / "got"
    with lab.kernel.running(*server):
        lab.kernel.wait_for_listener(8000)
        lab.netsim("exec", "web", "curl", "-sS", "-o", got, "http://lab:8000/file")
    assert got.read_bytes() == pattern(500_000)


def test_a_path_of_a_smaller_mtu(lab: Lab, tmp_path: Path) -> None:
    """The kernel is told by the router, and sends less (RFC 1191)."""
    lab.kernel.run("ip", "route", "flush", "cache")
    sent = tmp_path / "sent"
    sent.write_bytes(pattern(200_000))
    put = lab.kernel.run("curl", "-sS", "--fail", "-T", sent, f"http://{NARROW}/count")
    assert put.stdout == "200000"


def test_a_black_hole(lab: Lab, tmp_path: Path) -> None:
    """Both sides search for the size that passes (RFC 4821)."""
    lab.kernel.shell("sysctl -qw net.ipv4.tcp_mtu_probing=1")
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(pattern(100_000))
    get = ("curl", "-sS", "--fail", "--max-time", "50", "--interface", HOLE)
    lab.kernel.run(*get, "-o", got, f"http://{DEAF}/bytes/100000")
    assert got.read_bytes() == pattern(100_000)
    put = lab.kernel.run(*get, "-T", sent, f"http://{DEAF}/count")
    assert put.stdout == "100000"


# Congestion that is told (RFC 3168)


def counters(lab: Lab) -> dict[str, int]:
    """What the kernel has counted of IP and TCP."""
    lines = lab.kernel.run("cat", "/proc/net/netstat", "/proc/net/snmp").stdout.splitlines()
    return {
        name: int(value)
        for names, values in zip(lines[::2], lines[1::2], strict=True)
        for name, value in zip(names.split()[1:], values.split()[1:], strict=True)
    }


def test_a_queue_marks_what_the_kernel_sends_and_gets(lab: Lab, tmp_path: Path) -> None:
    """Nothing is lost: both slow down when they are told to."""
    sent = tmp_path / "sent"
    sent.write_bytes(pattern(3_000_000))
    lab.kernel.shell("sysctl -qw net.ipv4.tcp_ecn=1")
    lab.netsim("link", "r1", "web", "--bandwidth", "20mbit", "--queue", "{codel: {ecn: true}}")
    before = counters(lab)
    try:
        put = lab.kernel.run("curl", "-sS", "--fail", "-T", sent, f"http://{WEB}/count")
        get = ("curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{size_download}")
        got = lab.kernel.run(*get, f"http://{WEB}/bytes/3000000")
    finally:
        lab.netsim("link", "r1", "web", "--reset")
        lab.kernel.shell("sysctl -qw net.ipv4.tcp_ecn=2")
    assert (put.stdout, got.stdout) == ("3000000", "3000000")
    after = counters(lab)
    more = {name: after[name] - before[name] for name in after}
    assert more["TCPDeliveredCE"] > 0
    assert more["InCEPkts"] > 0
    assert more["RetransSegs"] == 0


# Windows and ends


@pytest.mark.parametrize("window", [2048, 8 << 20])
def test_a_receive_window_of_the_kernel(lab: Lab, window: int) -> None:
    count = 60_000 if window < 10_000 else 4_000_000
    got = client(
        lab,
        f"""
        import zlib
        sock = connect(19, SO_RCVBUF={window})
        sock.sendall(b"{count}\\n")
        print(zlib.crc32(read_all(sock)))
        """,
    )
    assert got == zlib.crc32(pattern(count))


def test_a_window_of_the_kernel_that_shuts(lab: Lab) -> None:
    assert client(
        lab,
        """
        sock = connect(19, SO_RCVBUF=4096)
        sock.sendall(b"300000\\n")
        time.sleep(1.5)  # nobody reads
        print(len(read_all(sock)))
        """,
    ) == 300_000  # fmt: skip


def test_a_window_of_a_simulated_computer_that_shuts(lab: Lab) -> None:
    assert client(
        lab,
        """
        sock = connect(9)
        sock.sendall(bytes(3_000_000))
        sock.shutdown(socket.SHUT_WR)
        print(read_all(sock).decode())
        """,
    ) == 3_000_000  # fmt: skip


def test_half_a_connection_closed(lab: Lab) -> None:
    assert client(
        lab,
        """
        sock = connect(7)
        sock.sendall(bytes(100_000))
        sock.shutdown(socket.SHUT_WR)
        print(len(read_all(sock)))
        """,
    ) == 100_000  # fmt: skip


def test_resets(lab: Lab) -> None:
    refused = lab.kernel.run("curl", "-sS", f"http://{WEB}:81/", check=False)
    assert refused.returncode == 7
    refused = lab.netsim("exec", "web", "curl", "-sS", "http://lab:81/", check=False)
    assert refused.returncode == 7
    # SO_LINGER of no time: close sends RST, and whoever comes next is served.
    served = client(
        lab,
        """
        for _ in range(20):
            sock = connect(19, SO_LINGER=struct.pack("ii", 1, 0))
            sock.sendall(b"200000\\n")
            sock.recv(1000)
            sock.close()
        sock = connect(7)
        sock.sendall(b"12")
        print(sock.recv(2).decode())
        """,
    )
    assert served == 12


# Whole programs


@pytest.mark.parametrize("reverse", [False, True])
def test_iperf3_with_loss(lab: Lab, reverse: bool) -> None:
    """From the kernel to a simulated computer, and from there to the kernel, at the same time."""
    lab.netsim("link", "lab", "r1", "--loss", "1%")
    try:
        with lab.kernel.running("iperf3", "-s", "-B", LAB, "-1"):
            lab.kernel.wait_for_listener(5201)
            way = ["-R"] if reverse else []
            report = json.loads(
                lab.kernel.run("iperf3", "-c", WEB, "-n", "1500K", "-J", *way).stdout
            )
    finally:
        lab.netsim("link", "lab", "r1", "--loss", "0%")
    assert "error" not in report
    # The client ends when all is sent; what is then in buffers on the way does not count, and how
    # much that is depends on the kernel.
    assert report["end"]["sum_sent"]["bytes"] >= 1_500_000
    assert report["end"]["sum_received"]["bytes"] >= 100_000


FLOOD = f"""\
import random, socket
from netsim.wire import arp, ethernet, ipv4, tcp
from netsim.wire.address import BROADCAST_MAC, parse_ip
from netsim.wire.checksum import pseudo_header_sum
nobody, router, there = map(parse_ip, ("10.0.1.200", "10.0.1.1", "{NARROW}"))
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("tap0", 3))  # all protocols
mac = sock.getsockname()[4]
# The router takes us for whoever asks, and nobody will answer what comes.
question = arp.ArpPacket(arp.REQUEST, mac, nobody, bytes(6), router).pack()
sock.send(ethernet.pack_header(BROADCAST_MAC, mac, ethernet.ETHERTYPE_ARP) + question)
answer = sock.recv(100)
while answer[12:14] != b"\\x08\\x06":
    answer = sock.recv(100)
ethernet_header = ethernet.pack_header(answer[6:12], mac, ethernet.ETHERTYPE_IPV4)
pseudo_sum = pseudo_header_sum(nobody, there, ipv4.PROTOCOL_TCP)
for number in range(1500):
    port = 2000 + number
    segment = tcp.TcpSegment(port, 9000, random.getrandbits(32), 0, tcp.SYN, 65535, mss=1460)
    packed = segment.pack(pseudo_sum)
    header = ipv4.Ipv4Header(0, 20 + len(packed), number, 0, 64, ipv4.PROTOCOL_TCP, nobody, there)
    sock.send(ethernet_header + header.pack() + packed)
"""


def test_a_flood_of_requests_from_nowhere(lab: Lab) -> None:
    lab.kernel.python(FLOOD)
    for _ in range(4):
        assert client(
            lab, "s = connect(7); s.settimeout(3); s.sendall(b'7'); print(s.recv(1).decode())"
        )


def test_nmap_finds_exactly_what_listens(lab: Lab) -> None:
    nmap = ["nmap", "-n", "-Pn", "-sS", "-sV", "-p", "1-1024,5201,8000-8100", "-oG", "-"]
    found = lab.kernel.run(*nmap, NARROW).stdout
    ports = re.findall(r"(\d+)/(\w+)/tcp//([^/]*)/", found)
    assert ports == [("80", "open", "http"), ("8080", "open", "http")]
    assert "Ignored State: closed (1124)" in found


# What Wireshark says of it

BROKEN = (
    "_ws.malformed || tcp.checksum.status == 0 || udp.checksum.status == 0 || "
    "ip.checksum.status == 0 || icmp.checksum.status == 0 || _ws.expert.severity == 8388608"
)
"""Malformed, a bad checksum, or an error of a protocol."""
SUSPICIOUS = (
    "tcp.analysis.retransmission || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || "
    "tcp.analysis.out_of_order || tcp.analysis.spurious_retransmission"
)
"""What loss explains, and nothing else."""
EXPLAINED_BY_LOSS = f"{SUSPICIOUS} || tcp.analysis.duplicate_ack || tcp.options.sack.dsack"


@contextmanager
def captured(lab: Lab, capture: Path) -> Iterator[None]:
    """All that passes `tap0` meanwhile is in `capture` afterwards."""
    with lab.kernel.running("tshark", "-q", "-i", "tap0", "-w", capture, "-a", "duration:60"):
        lab.kernel.shell(f"until [ -s {capture} ]; do ping -c 1 -W 1 {WEB}; done")
        yield
        marker = "10.0.2.99"
        lab.kernel.run("ping", "-c", "1", "-W", "1", marker, check=False)
        lab.kernel.shell(f"until tshark -r {capture} 2>/dev/null | grep -q {marker}; do :; done")


def matching(lab: Lab, capture: Path, display_filter: str) -> str:
    """The packets that Wireshark finds."""
    checks = [f"-o{name}:TRUE" for name in ("tcp.check_checksum", "ip.check_checksum")]
    return lab.kernel.run("tshark", "-r", capture, *checks, "-Y", display_filter).stdout


def test_tshark_has_nothing_to_object(lab: Lab, tmp_path: Path) -> None:
    capture = tmp_path / "tap0.pcapng"
    with captured(lab, capture):
        lab.kernel.run("curl", "-sS", "--fail", "-o", "/dev/null", f"http://{WEB}/bytes/1000000")
        lab.kernel.run("ping", "-c", "2", "-i", "0.2", "-s", "9000", WEB)
        lab.kernel.run("curl", "-sS", f"http://{WEB}:81/", check=False)
        lab.kernel.python(CONNECT + "s = connect(7); s.sendall(bytes(50_000)); s.shutdown(1); "
                          "assert len(read_all(s)) == 50_000")  # fmt: skip
    assert matching(lab, capture, "tcp.port == 80").count("\n") > 300
    assert matching(lab, capture, BROKEN) == ""
    assert matching(lab, capture, SUSPICIOUS) == ""


def test_tshark_objects_to_nothing_but_losses(lab: Lab, tmp_path: Path) -> None:
    """Both ways at 3 %: what is lost is seen to be missing, and sent again; all else is well."""
    capture = tmp_path / "tap0.pcapng"
    sent = tmp_path / "sent"
    sent.write_bytes(pattern(1_000_000))
    with captured(lab, capture):
        lab.netsim("link", "lab", "r1", "--loss", "3%")
        try:
            get = ("curl", "-sS", "--fail", "--max-time", "50")
            lab.kernel.run(*get, "-o", "/dev/null", f"http://{WEB}/bytes/1000000")
            put = lab.kernel.run(*get, "-T", sent, f"http://{WEB}/count")
        finally:
            lab.netsim("link", "lab", "r1", "--loss", "0%")
    assert put.stdout == "1000000"
    assert matching(lab, capture, "tcp.analysis.retransmission").count("\n") > 5
    # For tshark a body of which a part came twice is an error: "New fragment overlaps old data".
    overlaps = f"_ws.malformed.reassembly && ({SUSPICIOUS})"
    assert matching(lab, capture, f"({BROKEN}) && !({overlaps})") == ""
    unexplained = f"_ws.expert.severity >= 6291456 && !({EXPLAINED_BY_LOSS})"  # warnings and worse
    assert matching(lab, capture, f"tcp && {unexplained}") == ""


def test_a_device_that_somebody_deletes_is_told(lab: Lab) -> None:
    """Last, since whoever comes later does without it."""
    lab.kernel.run("ip", "link", "del", "tap1")
    lab.kernel.run("ping", "-c", "1", "-W", "2", WEB)
    assert "the TAP device is gone" in lab.netsim("logs", "hole").stdout
    facts = json.loads(lab.netsim("inspect", "hole", "--json").stdout)
    assert facts["state"] == "running"
