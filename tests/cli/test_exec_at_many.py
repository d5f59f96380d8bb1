"""`netsim exec` at many nodes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import Shell, network_up, of_the_network

STAR = """\
name: star
nodes:
  h: {kind: computer, count: 3}
  web: {kind: computer}
  s1: {kind: switch}
links: [[h, s1], [web, s1]]
"""


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A running network, and nobody takes anything down in it for good."""
    with network_up(tmp_path_factory.mktemp("star"), STAR) as shell:
        yield shell


def test_lines_stand_behind_the_names_of_their_nodes(star: Shell) -> None:
    code, out, err = star.run("exec", "h-*", "ping", "-c1", "web")
    assert (code, err) == (0, "")
    lines = [line.partition(": ") for line in out.splitlines()]
    assert {node for node, _, _ in lines} == {"h-1", "h-2", "h-3"}
    for node in ("h-1", "h-2", "h-3"):
        said = [text for name, _, text in lines if name == node]
        assert said[0] == "PING web (10.0.1.13) 56(84) bytes of data."
        assert said[4].startswith("1 packets transmitted, 1 received, 0% packet loss")


@pytest.mark.parametrize(
    ("choice", "nodes"),
    [
        (["--all"], {"h-1", "h-2", "h-3", "web"}),
        (["*"], {"h-1", "h-2", "h-3", "web"}),
        (["--kind", "computer"], {"h-1", "h-2", "h-3", "web"}),
        (["web,h-[12]"], {"h-1", "h-2", "web"}),
        (["web,web"], {"web"}),
    ],
)
def test_who_is_chosen(star: Shell, choice: list[str], nodes: set[str]) -> None:
    code, out, err = star.run("exec", *choice, "ip", "-br", "link", "show", "eth0")
    assert (code, err) == (0, "")
    assert {line.partition(": ")[0] for line in out.splitlines()} == nodes


def test_a_switch_that_is_named_is_asked_and_says_what_it_has(star: Shell) -> None:
    code, out, err = star.run("exec", "web,s1", "ip", "-br", "addr")
    assert code == 1
    assert out.startswith("web: ")
    assert err.startswith("s1: ip: s1 is a switch and has no addresses; mac-table")


def test_the_exit_code_is_the_highest(star: Shell) -> None:
    code, out, err = star.run("exec", "h-1,web", "curl", "-s", "http://nobody/")
    assert (code, out, err) == (6, "", "")
    assert star.run("exec", "--all", "nosuch")[0] == 127
    assert star.run("exec", "--kind", "switch", "ping", "web")[0] == 1


def test_mistakes(star: Shell) -> None:
    assert star.run("exec", "x*", "ping", "web") == (
        1,
        "",
        "netsim: no node of star matches 'x*'; netsim inspect lists them\n",
    )
    code, _, err = star.run("exec", "h-1,wbe", "ping", "web")
    assert (code, err) == (1, "netsim: star has no node 'wbe'; write `web`\n")
    code, _, err = star.run("exec", "--kind", "hub", "ping", "web")
    assert (code, err) == (
        2,
        "netsim: 'hub' is no kind of node; write computer, switch, router\n",
    )
    code, _, err = star.run("exec", "--kind", "router", "ping", "web")
    assert (code, err) == (1, "netsim: star has no router; netsim inspect lists its nodes\n")
    assert "Missing argument 'NODE'" in star.run("exec")[2]
    code, _, err = star.run("exec", "--all")
    assert code == 2
    assert "Missing argument 'CMD...'" in err
    assert "Missing argument 'CMD...'" in star.run("exec", "h-*")[2]


def test_the_hyphens_of_kubectl_may_stand_before_the_tool(star: Shell) -> None:
    for chosen in (["web"], ["web,s1"], ["--kind", "computer"]):
        out = star.run("exec", *chosen, "--", "ip", "-br", "link", "show", "eth0")[1]
        assert "eth0" in out


def test_json_is_one_list(star: Shell) -> None:
    code, out, err = star.run("exec", "--json", "h-1,s1", "ping", "-c1", "web")
    assert (code, err) == (1, "")
    h1, s1 = json.loads(out)
    assert (h1["node"], h1["exit"], h1["result"]["received"]) == ("h-1", 0, 1)
    assert (h1["stdout"], h1["stderr"]) == ("", "")
    assert (s1["node"], s1["exit"], s1["result"]) == ("s1", 1, None)
    assert "mac-table" in s1["stderr"]


def test_ctrl_c_reaches_all_and_their_last_words_come(star: Shell) -> None:
    with star.start("exec", "h-1,h-2", "ping", "web") as pings:
        assert pings.stdout is not None
        heard: set[str] = set()
        while len(heard) < 2:
            node, _, text = pings.stdout.readline().partition(": ")
            if "icmp_seq=1" in text:
                heard.add(node)
        pings.send_signal(signal.SIGINT)
        out, err = pings.communicate()
        assert (pings.returncode, of_the_network(err)) == (130, "")
        assert out.count("0% packet loss") == 2


def test_one_that_is_frozen_is_named_and_ctrl_c_does_not_wait_for_it(star: Shell) -> None:
    pid = json.loads(star.run("inspect", "--json", "h-2")[1])["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with star.start("exec", "h-2,h-3", "ping", "-c1", "web") as pings:
            assert pings.stderr is not None
            assert pings.stdout is not None
            while "rtt min" not in pings.stdout.readline():
                pass
            pings.send_signal(signal.SIGINT)
            err = of_the_network(pings.communicate()[1])
            assert pings.returncode == 130
            assert "h-3" not in err
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_network_that_goes_down_meanwhile_is_told(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        (tmp_path / "star.yaml").write_text(STAR)
        assert shell.run("up", "-d", "star.yaml")[0] == 0
        with shell.start("exec", "--all", "ping", "web") as pings:
            assert pings.stdout is not None
            while "icmp_seq=1" not in pings.stdout.readline():
                pass
            assert shell.run("down")[0] == 0
            err = of_the_network(pings.communicate()[1])
            assert pings.returncode == 1
            assert "netsim: " in err
            assert len(err.splitlines()) == 1
    finally:
        shell.close()
