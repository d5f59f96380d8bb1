"""`ss`: which sockets are shown, and what is said of each."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from plans import chain
from tool_lab import Lab, MakeLab, make_lab

from netsim.wire.address import format_ip

__all__ = ["make_lab"]

HEAD = "State Recv-Q Send-Q Local Address:Port Peer Address:Port"


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """web listens on 80 and has a UDP socket on 5353; alice is connected and has said hello."""
    lab = make_lab(chain())
    kept: list[Any] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        kept.append(await loop.create_server(asyncio.Protocol, "0.0.0.0", 80, backlog=7))
        kept.append(
            await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, local_addr=("0.0.0.0", 5353)
            )
        )

    async def connect() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, "web", 80)
        transport.write(b"hello")
        await asyncio.sleep(1)
        kept.append(transport)
        kept.append(
            await loop.create_datagram_endpoint(
                asyncio.DatagramProtocol, remote_addr=("10.0.3.10", 5353)
            )
        )

    lab.call("web", serve())
    lab.call("alice", connect())
    return lab


def squeezed(lines: list[str]) -> list[str]:
    """One space between words, ephemeral ports as EPH."""
    return [re.sub(r"\b[3-6]\d{4}\b", "EPH", " ".join(line.split())) for line in lines]


def test_connections_are_shown_without_options(lab: Lab) -> None:
    outcome = lab.run("alice", "ss", "-n")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert squeezed(outcome.lines) == [
        f"Netid {HEAD}",
        "udp ESTAB 0 0 10.0.1.10:EPH 10.0.3.10:5353",
        "tcp ESTAB 0 0 10.0.1.10:EPH 10.0.3.10:80",
    ]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["-tn"], ["ESTAB 0 0 10.0.3.10:80 10.0.1.10:EPH"]),
        (["-tln"], ["LISTEN 0 7 0.0.0.0:80 0.0.0.0:*"]),
        (["-uln"], ["UNCONN 0 0 0.0.0.0:5353 0.0.0.0:*"]),
        (["-un"], []),
        (
            ["-t", "--all", "-n4"],
            ["LISTEN 0 7 0.0.0.0:80 0.0.0.0:*", "ESTAB 0 0 10.0.3.10:80 10.0.1.10:EPH"],
        ),
        (["-tlrn"], ["LISTEN 0 7 0.0.0.0:80 0.0.0.0:*"]),
        (["-tr"], ["ESTAB 0 0 web:http alice:EPH"]),
    ],
)
def test_what_is_asked_for_is_shown(lab: Lab, options: list[str], rows: list[str]) -> None:
    outcome = lab.run("web", "ss", *options)
    assert squeezed(outcome.lines) == [HEAD, *rows]
    assert squeezed(lab.run("web", "ss", "-H", *options).lines) == rows


def test_columns_are_aligned_at_the_colon(lab: Lab) -> None:
    head, listening, connected = lab.run("web", "ss", "-tan").lines
    assert head.index(":") == listening.index(":") == connected.index(":")
    assert head.rindex(":") == listening.rindex(":") == connected.rindex(":")
    assert not any(line.endswith(" ") for line in (head, listening, connected))


def test_details_and_timers(lab: Lab) -> None:
    _, _, details = lab.run("alice", "ss", "-tni").lines
    assert re.fullmatch(r"\t reno wscale:\d+,\d+ rto:\S+ rtt:\S+/\S+ mss:1448 cwnd:10", details)
    # Nobody has this address, and the router asks for it by ARP for three seconds.
    nobody = format_ip(lab.network.plan.hosts["web"][:3] + b"\x63")

    async def connect() -> None:
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, nobody, 80)

    connecting = lab.loop("alice").create_task(connect())
    lab.call("alice", asyncio.sleep(0.1))
    _, silent, waiting = lab.run("alice", "ss", "-tno").lines
    assert "timer:" not in silent
    assert re.search(r"SYN-SENT .* timer:\(on,[89]\d\dms,0\)$", waiting)
    connecting.cancel()


def test_a_connection_that_is_over_waits(lab: Lab) -> None:
    async def close() -> None:
        _, writer = await asyncio.open_connection("web", 80)
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.1)

    lab.call("alice", close())
    assert "TIME-WAIT" not in " ".join(lab.run("alice", "ss", "-tn").lines)
    lines = lab.run("alice", "ss", "-tano").lines
    assert re.search(r"TIME-WAIT .* timer:\(timewait,\S+,0\)$", lines[-1])


def test_json(lab: Lab) -> None:
    (listening, connected) = lab.run("web", "ss", "-ta", json=True).document
    assert listening == {
        "netid": "tcp",
        "state": "LISTEN",
        "recv_q": 0,
        "send_q": 7,
        "local": {"address": "0.0.0.0", "port": 80},
        "peer": {"address": "0.0.0.0", "port": None},
    }
    assert connected["peer"]["address"] == "10.0.1.10"
    assert connected["tcp"]["mss"] == 1448


def test_an_option_that_does_not_exist(lab: Lab) -> None:
    outcome = lab.run("web", "ss", "-K")
    assert outcome.code == 2
    assert "ss: unrecognized arguments: -K" in outcome.stderr


def test_options_in_one_word(lab: Lab) -> None:
    listening = lab.run("web", "ss", "-t", "-l", "-n").lines
    assert lab.run("web", "ss", "-tlnp").lines == listening
    outcome = lab.run("web", "ss", "-tlnx")
    assert (outcome.code, outcome.stderr.splitlines()[-1]) == (2, "ss: unrecognized arguments: -x")
