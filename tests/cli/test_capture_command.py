"""`netsim capture` on a network of real processes: lines, files, filters, and rude ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from netsim_shell import Command, Shell, network_up
from networks import NETSIM

PAIR = """\
name: pair
nodes:
  alice: {kind: computer}
  r1: {kind: router}
  web: {kind: computer, services: {80: "netsim.services.httpbin:create_app"}}
links:
  - {endpoints: [alice, r1], delay: 1ms}
  - {endpoints: [r1, web], delay: 1ms}
"""
LIMIT = 20_000
"""Bytes of a file that has no room for more."""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with network_up(tmp_path_factory.mktemp("pair"), PAIR) as shell:
        yield shell


@contextmanager
def capturing(shell: Shell, *arguments: str) -> Iterator[Command]:
    """It has begun."""
    with shell.start(*arguments) as process:
        begin(process)
        yield process


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline().startswith("capturing at ")


def rest_of(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What else it prints, until it ends; `communicate` would lose what was read ahead."""
    assert process.stdout is not None
    assert process.stderr is not None
    return process.stdout.read(), process.stderr.read()


def fetch(shell: Shell, size: int) -> None:
    url = f"http://web/bytes/{size}"
    code, _, err = shell.run("exec", "alice", "curl", "-s", "-o", os.devnull, url)
    assert code == 0, err


def tshark(shell: Shell, file: str, *options: str) -> list[str]:
    command = ["tshark", "-n", "-r", str(shell.folder / file), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_lines_as_they_come_until_ctrl_c(shell: Shell) -> None:
    with capturing(shell, "capture", "r1", "web:eth0", "tcp port 80 and host web") as process:
        fetch(shell, 10)
        assert process.stdout is not None
        first = process.stdout.readline()  # while it goes on
        process.send_signal(signal.SIGINT)
        out, err = rest_of(process)
    assert process.wait() == 0
    assert " r1:eth0 In  IP 10.0." in first
    assert ": Flags [S], seq " in first
    assert any("HTTP: GET /bytes/10 HTTP/1.1" in line for line in out.splitlines())
    number = out.count("\n") + 1
    assert err == f"{number} packets captured\n0 packets dropped\n"


def test_what_is_down_is_told_and_captured_when_it_has_started(shell: Shell) -> None:
    assert shell.run("node", "web", "stop")[0] == 0
    with capturing(shell, "capture", "r1", "web", "-c", "1", "arp") as process:
        assert process.stderr is not None
        told = process.stderr.readline()
        assert shell.run("node", "web", "start")[0] == 0
        fetch(shell, 10)
        rest_of(process)
    assert process.wait() == 0
    assert told == "web: down; nothing passes until `netsim node NAME start`\n"


@pytest.mark.parametrize("command", ["capture r1:eth0", "exec r1 tcpdump -nni eth0"])
def test_the_bytes_of_a_request(shell: Shell, command: str) -> None:
    words = [*command.split(), "-qAc1", "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420"]
    with capturing(shell, *words) as process:
        fetch(shell, 10)
        out, err = rest_of(process)
    assert process.wait() == 0
    line, *text = out.splitlines()
    assert re.fullmatch(r"[\d.]+ IP 10\.\d+\.\d+\.\d+\.\d+ > \S+\.80: tcp \d+", line)
    assert any(each.endswith("GET /bytes/10 HTTP/1.1") for each in text)
    assert "Host: web" in text
    assert err == "1 packet captured\n0 packets dropped\n"


@pytest.mark.parametrize("ways", [("-w",), ("tcpdump",)])
def test_a_file_for_wireshark(shell: Shell, ways: tuple[str, ...]) -> None:
    command = ["exec", "r1", "tcpdump", "-ni", "any"] if ways == ("tcpdump",) else ["capture", "r1"]
    with capturing(shell, *command, "-w", "out.pcapng") as process:
        fetch(shell, 30_000)
        process.send_signal(signal.SIGTERM)
        out, err = rest_of(process)
    assert (process.wait(), out) == (0, "")
    fields = ["frame.interface_name", "frame.packet_flags_direction"]
    wanted = [word for each in fields for word in ("-e", each)]
    rows = {tuple(row.split("\t")) for row in tshark(shell, "out.pcapng", "-T", "fields", *wanted)}
    assert {(name, int(way, 0)) for name, way in rows} == {
        (name, way) for name in ("r1:eth0", "r1:eth1") for way in (1, 2)
    }
    checks = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")
    wrong = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0"
    assert tshark(shell, "out.pcapng", *checks, "-Y", wrong) == []
    assert int(err.split()[0]) == len(tshark(shell, "out.pcapng"))


def test_tshark_finds_nothing_wrong_where_packets_are_lost(shell: Shell) -> None:
    assert shell.run("link", "r1", "web", "--loss", "10%", "--duplicate", "2%")[0] == 0
    try:
        with capturing(shell, "capture", "alice", "r1", "web", "-w", "lossy.pcapng") as process:
            fetch(shell, 100_000)
            process.send_signal(signal.SIGINT)
            rest_of(process)
    finally:
        assert shell.run("link", "r1", "web", "--reset")[0] == 0
    # The same bytes pass three places: put together they would seem to overlap.
    apart = ("-o", "tcp.desegment_tcp_streams:FALSE")
    checks = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", *apart)
    wrong = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0"
    assert tshark(shell, "lossy.pcapng", *checks, "-Y", wrong) == []
    lost = 'frame.comment == "dropped: loss"'
    fields = ("-T", "fields", "-e", "frame.interface_name")
    places = set(tshark(shell, "lossy.pcapng", "-Y", lost, *fields))
    assert places
    assert places <= {"r1:eth1", "web:eth0"}


def test_into_tshark_through_a_pipe(shell: Shell) -> None:
    command = f"{' '.join(NETSIM)} capture alice icmp -c 2 -w - | tshark -n -l -r -"
    with subprocess.Popen(
        ["bash", "-c", command], cwd=shell.folder, env=shell.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        while not process.stderr.readline().startswith("capturing at "):
            pass  # what tshark says of the user
        assert shell.run("exec", "alice", "ping", "-c", "1", "web")[0] == 0
        out, _ = rest_of(process)
    assert [line.split("Echo (ping) ")[1].split()[0] for line in out.splitlines()] == [
        "request",
        "reply",
    ]


def test_json(shell: Shell) -> None:
    with capturing(shell, "capture", "--json", "r1:eth0", "icmp", "-c", "1") as process:
        assert shell.run("exec", "alice", "ping", "-c", "1", "web")[0] == 0
        out, _ = rest_of(process)
    packet = json.loads(out)
    assert packet.pop("time_ns") > 0
    assert "ICMP echo request" in packet.pop("text")
    assert len(bytes.fromhex(packet.pop("frame"))) == 98
    told = {"interface": "r1:eth0", "direction": "inbound", "dropped": None, "length": 98}
    assert packet == told


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("r9",), 1, "pair has no node 'r9'; write one of"),
        (("r1:eth9",), 1, "r1 has no interface 'eth9'; write `eth1`"),
        (("tcp",), 2, "`tcp` is no node; write one before the filter, for example `r1 tcp`"),
        (("r1", "tcp", "prot", "80"), 2, "write `port`\n  tcp prot 80\n      ^^^^\n"),
        (("r1", "-w", "nowhere/x"), 1, "nowhere/x: No such file or directory"),
        (("r1", "-w", "x", "--json"), 2, "leave one out"),
        (("r1", "-c", "0"), 2, "0 is not in the range"),
    ],
)
def test_what_is_wrong_is_told(
    shell: Shell, arguments: tuple[str, ...], code: int, told: str
) -> None:
    assert (code, "", told) == (*(done := shell.run("capture", *arguments))[:2], told)
    assert told in done[2]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-D",), "tcpdump -D: write `netsim exec NODE ip link`, which lists the interfaces"),
        (("-Y", "x"), "option -Y not recognized"),
        (("-c", "x"), "`x` is no number of packets; write 1 or more"),
        (("-i", "eth9"), "r1 has no interface 'eth9'"),
    ],
)
def test_options_of_tcpdump_that_are_not_here(
    shell: Shell, arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = shell.run("exec", "r1", "tcpdump", *arguments)
    assert (code in (1, 2), out) == (True, "")
    assert told in err


def test_a_full_disk_loses_packets_and_the_file_stays_whole(shell: Shell) -> None:
    command = [*NETSIM, "capture", "r1", "-w", "full.pcapng"]
    with subprocess.Popen(
        ["prlimit", f"--fsize={LIMIT}", *command], cwd=shell.folder, env=shell.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        begin(process)
        fetch(shell, 100_000)
        assert process.stderr is not None
        told = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = rest_of(process)
    assert process.returncode == 0
    assert told.startswith("netsim: full.pcapng: File too large; ")
    captured, dropped = (int(line.split()[0]) for line in err.splitlines())
    assert captured == len(tshark(shell, "full.pcapng"))
    assert dropped > 50
    assert (shell.folder / "full.pcapng").stat().st_size <= LIMIT


def passed(shell: Shell, *nodes: str) -> int:
    """Frames that have passed interfaces of nodes, both ways, when no more do."""
    before, now = -1, 0
    while before != now:
        before = now
        document = json.loads(shell.run("inspect", "--json")[1])
        own = [node["interfaces"] for node in document["nodes"] if node["name"] in nodes]
        now = sum(each[way]["frames"] for one in own for each in one for way in ("tx", "rx"))
    return now


def test_a_reader_that_stands_still_loses_packets_and_slows_nobody(shell: Shell) -> None:
    before = passed(shell, "r1", "web", "alice")
    with shell.start("capture", "r1", "web", "alice", "-w", "/dev/stdout") as process:
        begin(process)
        process.send_signal(signal.SIGSTOP)
        fetch(shell, 9_000_000)  # six frames of each packet: more than waits for a reader
        after = passed(shell, "r1", "web", "alice")
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        while os.read(descriptor, 1 << 16):
            pass
        err = process.stderr.read() if process.stderr is not None else ""
    captured, dropped = (int(line.split()[0]) for line in err.splitlines())
    assert captured > 1000
    assert dropped > 1000
    assert captured + dropped == after - before


def test_a_closed_pipe_ends_it_without_a_word(shell: Shell) -> None:
    with capturing(shell, "capture", "r1", "icmp") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert shell.run("exec", "alice", "ping", "-c", "1", "web")[0] == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_it_goes_on_after_a_restart_and_ends_with_the_network(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        (tmp_path / "pair.yaml").write_text(PAIR)
        assert shell.run("up", "-d", "pair.yaml")[0] == 0
        with (
            capturing(shell, "capture", "r1:eth0", "icmp") as process,
            capturing(shell, "capture", "r1", "-w", "out.pcapng") as other,
        ):
            assert shell.run("node", "r1", "kill")[0] == 0
            assert shell.run("node", "r1", "start")[0] == 0
            assert shell.run("exec", "alice", "ping", "-c", "3", "web")[0] == 0
            assert process.stdout is not None
            assert "ICMP echo request" in process.stdout.readline()
            assert shell.run("down")[0] == 0
            out, err = rest_of(process)
            _, other_err = rest_of(other)
        assert (process.returncode, other.returncode) == (0, 0)
        number = out.count("\n") + 1
        assert err.splitlines() == [
            "netsim: pair is down; the capture ends with it",
            f"{number} packets captured",
            "0 packets dropped",
        ]
        assert int(other_err.splitlines()[1].split()[0]) == len(tshark(shell, "out.pcapng"))
    finally:
        shell.close()
