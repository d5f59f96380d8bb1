"""`dig`, answered from the hosts table."""

from __future__ import annotations

import pytest
from plans import chain
from tool_lab import MakeLab, make_lab

__all__ = ["make_lab"]

SOURCE = ";; Query answered from the hosts table of alice: there is no DNS server yet"


def test_an_address(make_lab: MakeLab) -> None:
    outcome = make_lab(chain()).run("alice", "dig", "web")
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.lines == [
        "",
        "; <<>> dig of netsim <<>> web",
        ";; global options: +cmd",
        ";; Got answer:",
        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR",
        ";; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0",
        "",
        ";; QUESTION SECTION:",
        ";web.\t\t\t\tIN\tA",
        "",
        ";; ANSWER SECTION:",
        "web.\t\t\t0\tIN\tA\t10.0.3.10",
        "",
        SOURCE,
        "",
    ]


@pytest.mark.parametrize(
    ("argv", "lines"),
    [
        (["+short", "web"], ["10.0.3.10"]),
        (["WEB.test.test.", "A", "+short"], ["10.0.3.10"]),
        (["web", "-t", "a", "IN", "+short"], ["10.0.3.10"]),
        (["localhost", "ANY", "+short"], ["127.0.0.1"]),
        (["-x", "10.0.3.10", "+short"], ["web."]),
        (["+short", "-x", "10.0.2.2"], ["r2."]),
        (["10.3.0.10.in-addr.arpa", "PTR", "+short"], ["web."]),
        (["web", "AAAA", "+short"], []),
        (["nobody", "+short"], []),
        (["web", "+noall", "+answer"], ["web.\t\t\t0\tIN\tA\t10.0.3.10", ""]),
        (["nobody", "+noall", "+stats"], [SOURCE, ""]),
    ],
)
def test_what_is_asked_for(make_lab: MakeLab, argv: list[str], lines: list[str]) -> None:
    outcome = make_lab(chain()).run("alice", "dig", *argv)
    assert (outcome.code, outcome.stderr) == (0, "")
    assert outcome.lines == lines


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (["nobody"], "NXDOMAIN"),
        (["-x", "10.9.9.9"], "NXDOMAIN"),
        (["300.1.in-addr.arpa", "PTR"], "NXDOMAIN"),
        (["web", "MX"], "NOERROR"),
        (["-x", "10.0.3.10", "-t", "A"], "NOERROR"),
    ],
)
def test_names_that_do_not_exist_are_told_from_records(
    make_lab: MakeLab, argv: list[str], status: str
) -> None:
    lab = make_lab(chain())
    lines = lab.run("alice", "dig", *argv).lines
    assert f";; ->>HEADER<<- opcode: QUERY, status: {status}" in lines
    assert any("ANSWER: 0" in line for line in lines)
    assert lab.run("alice", "dig", *argv, json=True).document["status"] == status


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ([], 1, "dig: what shall be looked up?"),
        (["@10.0.0.1", "web"], 9, ";; 10.0.0.1 cannot be asked: there is no DNS server yet"),
        (["web", "+frobnicate"], 1, "dig: Invalid option: +frobnicate;"),
        (["web", "bob"], 1, "dig: one name at a time: web, or bob?"),
        (["-x", "web"], 1, "dig: 'web' is not an IPv4 address"),
        (["-x", "::1"], 1, "dig: '::1' is not an IPv4 address"),
        (["web", "-t", "FOO"], 1, "dig: FOO is not known as a type;"),
    ],
)
def test_mistakes(make_lab: MakeLab, argv: list[str], code: int, message: str) -> None:
    outcome = make_lab(chain()).run("alice", "dig", *argv)
    assert (outcome.code, outcome.stdout) == (code, b"")
    assert outcome.stderr.startswith(message)


def test_json(make_lab: MakeLab) -> None:
    assert make_lab(chain()).run("r1", "dig", "web", json=True).document == {
        "question": {"name": "web.", "type": "A"},
        "status": "NOERROR",
        "answers": [{"type": "A", "ttl": 0, "data": "10.0.3.10"}],
        "source": "hosts table",
    }
