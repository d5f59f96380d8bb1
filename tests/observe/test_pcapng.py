"""Captures read back by tshark, and block by block."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

from netsim.observe import pcapng
from netsim.observe.pcapng import CaptureTarget, PcapngAppender
from netsim.observe.tap import Direction
from netsim.wire import ethernet, icmp, ipv4

EPOCH_NS = 1_750_000_000_123_456_789
ALICE, WEB = b"\x0a\0\0\1", b"\x0a\0\0\2"


def ping_frame(sequence: int, size: int = 56) -> bytes:
    message = icmp.echo(icmp.ECHO_REQUEST, 9, sequence, bytes(size)).pack()
    header = ipv4.Ipv4Header(0, 20 + len(message), 1, 0, 64, ipv4.PROTOCOL_ICMP, ALICE, WEB)
    return (
        ethernet.pack_header(b"\2" * 6, b"\4" * 6, ethernet.ETHERTYPE_IPV4)
        + header.pack()
        + message
    )


def run(name: str, *options: str) -> str:
    program = shutil.which(name)
    assert program is not None, f"{name} reads the captures back: apt-get install tshark"
    finished = subprocess.run([program, *options], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def tshark(path: Path, *options: str) -> str:
    return run("tshark", "-r", str(path), "-n", *options)


def fields(path: Path, *names: str) -> list[list[str]]:
    options = [option for name in names for option in ("-e", name)]
    lines = tshark(path, "-T", "fields", *options).splitlines()
    return [line.split("\t") for line in lines]


def test_tshark_reads_frames_times_interfaces_and_directions(tmp_path: Path) -> None:
    path = tmp_path / "out.pcapng"
    seen = [
        (0, 0, Direction.OUTBOUND, ping_frame(1), ""),
        (1, 1, Direction.INBOUND, ping_frame(2, 57), ""),
        (5_599_999_999, 0, Direction.INBOUND, ping_frame(3, 58), "loss"),
        (10**15, 1, Direction.OUTBOUND, ping_frame(4, 1472), "queue"),
    ]
    with path.open("wb") as file:
        file.write(pcapng.section("alice") + pcapng.interface("eth0") + pcapng.interface("eth1"))
        appender = PcapngAppender(file, CaptureTarget("", {"eth0": 0, "eth1": 1}, EPOCH_NS))
        for passed in seen:
            appender.add(passed)

    rows = fields(
        path,
        "frame.time_epoch",
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.len",
        "frame.cap_len",
        "icmp.seq",
        "icmp.checksum.status",
        "frame.comment",
    )
    expected = []
    for sequence, (time_ns, number, direction, frame, dropped) in enumerate(seen, 1):
        seconds, fraction = divmod(EPOCH_NS + time_ns, 10**9)
        size = str(len(frame))
        at, comment = f"{seconds}.{fraction:09}", f"dropped: {dropped}" if dropped else ""
        expected.append([at, f"eth{number}", size, size, str(sequence), "1", comment])
        assert int(rows[sequence - 1].pop(2), 0) == direction
    assert rows == expected

    # The bytes themselves, as tshark has them.
    packets: list[dict[str, Any]] = json.loads(
        tshark(path, "-T", "json", "-x"), object_pairs_hook=dict
    )
    raw = [packet["_source"]["layers"]["frame_raw"][0] for packet in packets]
    assert raw == [frame.hex() for _, _, _, frame, _ in seen]


def test_capinfos_names_the_network(tmp_path: Path) -> None:
    path = tmp_path / "out.pcapng"
    packet = pcapng.packet(0, EPOCH_NS, ping_frame(1), Direction.INBOUND)
    path.write_bytes(pcapng.section("campus", "netsim 0.1.0") + pcapng.interface("eth0") + packet)
    summary = run("capinfos", str(path))
    assert "Capture hardware:    campus" in summary
    assert "Capture application: netsim 0.1.0" in summary
    assert "Time resolution = 0x09" in summary
    assert "Capture length = 0" in summary
    assert "Encapsulation = Ethernet" in summary


def test_blocks_are_framed_padded_and_in_order() -> None:
    written = pcapng.section("a", "ab")
    for size in range(14, 22):
        written += pcapng.interface("e" * size)
        written += pcapng.packet(size - 14, 1 << 40, b"\xee" * size, Direction.OUTBOUND)
    kinds = []
    position = 0
    while position < len(written):
        kind, length = struct.unpack_from("<II", written, position)
        assert length % 4 == 0
        assert struct.unpack_from("<I", written, position + length - 4) == (length,)
        kinds.append(kind)
        position += length
    assert position == len(written)
    assert kinds == [0x0A0D0D0A, *([1, 6] * 8)]


def test_each_packet_is_one_write_so_that_those_of_several_processes_never_mix() -> None:
    writes: list[int] = []

    class Pipe(io.BytesIO):
        def write(self, block: Any) -> int:
            writes.append(len(block))
            return super().write(block)

    pipe = Pipe()
    appender = PcapngAppender(pipe, CaptureTarget("", {"eth0": 0}, 0))
    appender.add((5, 0, Direction.INBOUND, ping_frame(1), ""))
    appender.add((6, 0, Direction.INBOUND, ping_frame(2), ""))
    assert len(writes) == 2
    assert sum(writes) == len(pipe.getvalue())
