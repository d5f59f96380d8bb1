"""`mac-table` of a switch."""

from __future__ import annotations

from plans import chain
from tool_lab import MakeLab, make_lab

from netsim.core.time import SECOND

__all__ = ["make_lab"]

HEAD = [
    "Mac Address        Type     Port    Age",
    "-----------------  -------  ----  -----",
]


def test_a_switch_that_has_heard_nobody(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("s1", "mac-table")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.lines == [*HEAD, "Total Mac Addresses: 0"]


def test_stations_with_their_ports_and_ages(make_lab: MakeLab) -> None:
    lab = make_lab(chain())
    lab.run("alice", "ping", "-c", "1", "r1")
    lab.network.run_for(3 * SECOND)
    alice, r1 = (
        lab.network.port(node, interface).mac.hex(":")
        for node, interface in (("alice", "eth0"), ("r1", "eth0"))
    )
    assert lab.run("s1", "mac-table").lines == [
        *HEAD,
        f"{alice}  DYNAMIC  eth0     3s",
        f"{r1}  DYNAMIC  eth1     3s",
        "Total Mac Addresses: 2",
    ]
    assert lab.run("s1", "mac-table", "-i", "eth1").lines[2].startswith(r1)
    (station,) = lab.run("s1", "mac-table", "-i", "eth0", json=True).document
    assert station == {
        "mac": alice,
        "type": "dynamic",
        "interface": "eth0",
        "age_s": station["age_s"],
    }
    assert 3 <= station["age_s"] < 3.1


def test_mistakes(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("s1", "mac-table", "-i", "eth7")
    assert (outcome.code, outcome.stdout) == (2, b"")
    assert "eth0" in outcome.stderr
