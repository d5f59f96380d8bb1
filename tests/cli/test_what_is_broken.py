"""What is said of nodes that have ended or do not answer, and of faults in force."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from netsim.cli import node
from netsim.cli.fact_tables import show_network, show_node
from netsim.cli.watchers import Terminal


def node_of(name: str, **facts: Any) -> dict[str, Any]:
    about = {"name": name, "kind": "computer", "pid": 7, "state": "running", "interfaces": []}
    return about | facts


def network_of(*nodes: dict[str, Any], faults: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": "two", "nodes": list(nodes), "links": [], "ports": [], "faults": list(faults)}


def test_up_names_what_has_ended_has_failed_or_does_not_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = {"call": "shop:main", "state": "failed", "failure": "LookupError: no stock"}
    Terminal("Ctrl-C takes it down").ready(
        network_of(
            node_of("alice", state="dead", pid=None),
            node_of("bob", state="not responding", stands_at="shop.py:7"),
            node_of("carol", state="not responding"),
            node_of("web", programs=[failed, failed | {"state": "running"}]),
        )
    )
    *_, blank, alice, bob, carol, web, up = capsys.readouterr().out.splitlines()
    assert blank == ""
    assert alice == "alice: has ended; netsim logs alice shows what it said"
    assert bob.startswith("bob does not respond: it stands at shop.py:7, and nothing else runs")
    assert carol == "carol does not respond"
    assert web == "web: run: shop:main has ended with LookupError: no stock"
    but = "but 2 nodes of it not responding and 1 node of it dead"
    assert up.startswith(f"two is up, {but}: 4 nodes, 0 links in ")


def test_inspect_lists_faults_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    show_network(network_of(node_of("alice"), faults=("drop alice → web, 80", "pause web")))
    assert capsys.readouterr().out.endswith("\nFaults in force\ndrop alice → web, 80\npause web\n")
    show_network(network_of(node_of("alice")))
    assert "Faults" not in capsys.readouterr().out


def test_inspect_tells_which_programs_have_ended(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {
        "call": "shop:main",
        "state": "failed",
        "failure": "LookupError: no stock",
        "traceback": ["in main"],
    }
    web = node_of("web", programs=[failed, failed | {"state": "running"}])
    show_network(network_of(web))
    ended = "run: shop:main has ended with LookupError: no stock"
    assert capsys.readouterr().out.endswith(f"\nPrograms that have ended\nweb: {ended}\n")
    show_node(web)
    assert capsys.readouterr().out.splitlines()[:2] == ["web: computer, running, pid 7", ended]


def test_inspect_says_once_how_a_node_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    ended, last = "web (pid 7) ended with exit code 3", ["no stock", "ended with exit code 3"]
    show_node(node_of("web", state="dead", pid=None, ended=ended, last_lines=last))
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["web: computer, dead, pid None", ended, "  no stock", ""]


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(
    ("verb", "state", "code"),
    [
        ("restart", "dead", 1),
        ("start", "dead", 1),
        ("restart", "running", 0),
        ("kill", "dead", 0),
    ],
)
def test_a_node_that_ends_again_fails_the_command(
    verb: str, state: str, code: int, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "before": {"state": "running", "pid": 7},
        "after": {"state": state, "pid": None if state == "dead" else 8},
    }

    class Client:
        def __init__(self, found: object) -> None:
            pass

        def change_node(self, name: str, verb: str) -> dict[str, Any]:
            return document

    monkeypatch.setattr(node, "ControlClient", Client)
    monkeypatch.setattr(node, "find", lambda name: None)
    done = CliRunner().invoke(node.command, [*options, "web", verb], standalone_mode=False)
    assert done.return_value == code
    if options:
        assert json.loads(done.output) == document
    elif code:
        assert done.output == "web has ended again; netsim logs web shows what it said\n"
