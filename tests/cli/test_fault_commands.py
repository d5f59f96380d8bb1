"""`link`, `partition`, `repair` and `node` over the real control API, of a network only told of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from netsim_shell import Shell

from netsim.cli.outcome import FAILED, MISUSED, explain
from netsim.cli.root import netsim
from netsim.control.control_client import ControlClient, ControlError

pytest_plugins = ("told_network",)

TWINS = """\
name: home
nodes:
  alice: {kind: computer}
  web: {kind: computer}
links:
  - {endpoints: [alice, web], delay: 2ms, loss: {gilbert_elliott: {p: 1%, r: 20%}}}
  - {endpoints: [alice, web], bandwidth: 1mbit, queue: 64KiB}
"""


def said(shell: Shell, *arguments: str) -> str:
    """What a command prints that is fine."""
    code, out, err = shell.run(*arguments)
    assert (code, err) == (0, "")
    return out


def test_a_link_is_changed_and_says_from_what_to_what(shell: Shell) -> None:
    ends = "alice:eth0 – web:eth0"
    assert said(shell, "link", "alice", "web", "--delay", "80ms", "--loss", "5%") == (
        f"{ends}  delay 0s → 80ms, loss 0% → 5%\n"
    )
    assert said(shell, "link", "alice", "web", "--loss", "1%", "--from", "web") == (
        "web:eth0 → alice:eth0  loss 5% → 1%\n"
    )
    assert said(shell, "link", "web", "alice", "--hold") == (
        "web:eth0 – alice:eth0  state up → up, held\n"
    )
    assert said(shell, "link", "alice", "web", "--hold") == f"{ends}  is as it was\n"
    assert said(shell, "link", "alice:eth0", "web", "--down") == (
        f"{ends}  state up, held → down, held\n"
    )
    assert said(shell, "link", "alice", "web", "--reset").splitlines() == [
        "alice:eth0 → web:eth0  state down, held → up, delay 80ms → 0s, loss 5% → 0%",
        "web:eth0 → alice:eth0  state down, held → up, delay 80ms → 0s, loss 1% → 0%",
    ]
    assert (
        said(shell, "link", "alice", "web", "--flap", "1h") == f"{ends}  state up → up, flapping\n"
    )
    said(shell, "link", "alice", "web", "--up")
    assert [line.split()[:3] for line in said(shell, "link").splitlines()][:2] == [
        ["A", "B", "STATE"],
        ["alice:eth0", "web:eth0", "up"],
    ]
    assert "Not as in the file" not in said(shell, "link")
    assert json.loads(said(shell, "link", "--json"))[0]["a"]["node"] == "alice"
    document = json.loads(said(shell, "link", "alice", "web", "--queue", "7", "--json"))
    assert [each["queue"] for each in document["before"]] == [1000, 1000]
    assert [each["queue"] for each in document["after"]] == [7, 7]


def test_what_is_not_as_in_the_file_is_listed_with_the_links_and_reset_at_once(
    shell: Shell,
) -> None:
    (shell.folder / "twins.yaml").write_text(TWINS)
    said(shell, "up", "-d", "--name", "twins", "twins.yaml")
    twins = ("--name", "twins")
    assert said(shell, "link", "--reset", "--all", *twins) == "every link is as in the file\n"
    said(shell, "link", "alice:eth0", "web", "--delay", "80ms", *twins)
    said(shell, "link", "alice:eth0", "web", "--loss", "5%", "--from", "web", *twins)
    said(shell, "link", "alice:eth1", "web", "--hold", *twins)
    said(shell, "link", "alice:eth1", "web", "--down", *twins)
    for listing in ("link", "inspect"):
        _, _, below = said(shell, listing, *twins).partition("\nNot as in the file\n")
        rows = [line.split("  ") for line in below.partition("\n\n")[0].splitlines()]
        shown = [[cell.strip() for cell in row if cell.strip()][:2] for row in rows]
        assert shown == [
            ["LINK", "CHANGES"],
            ["alice:eth0 → web:eth0", "delay 2ms → 80ms"],
            ["web:eth0 → alice:eth0", "delay 2ms → 80ms, loss bursts 1%/20% → 5%"],
            ["alice:eth1 – web:eth1", "down, held"],
        ]
        assert all(row[-1].endswith(", for 7s") for row in rows[1:])
    said(shell, "link", "alice:eth1", "web", "--flap", "1h", *twins)
    assert said(shell, "link", *twins).splitlines()[2].endswith("down, flapping")
    (row,) = (line for line in said(shell, "inspect", *twins).splitlines() if "flapping" in line)
    assert row.split()[:2] == ["alice:eth1", "web:eth1"]
    reset = said(shell, "link", "--reset", "--all", *twins).splitlines()
    assert reset == [
        "alice:eth0 → web:eth0  delay 80ms → 2ms",
        "web:eth0 → alice:eth0  delay 80ms → 2ms, loss 5% → bursts 1%/20%",
        "alice:eth1 – web:eth1  state down, held, flapping → up",
    ]
    assert "Not as in the file" not in said(shell, "link", *twins)


def test_all_links_are_reset_although_one_cannot_be(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shell.folder / "twins.yaml").write_text(TWINS)
    assert shell.run("up", "-d", "--name", "twins", "twins.yaml")[0] == 0
    twins = ("--name", "twins")
    for interface in ("eth0", "eth1"):
        said(shell, "link", f"alice:{interface}", "web", "--down", *twins)
    change = ControlClient.change_link

    def change_but_the_first(self: ControlClient, a: str, b: str, order: Any) -> Any:
        if a == "alice:eth0":
            raise ControlError("a node at one of the links does not answer")
        return change(self, a, b, order)

    monkeypatch.setattr(ControlClient, "change_link", change_but_the_first)
    monkeypatch.setenv("XDG_RUNTIME_DIR", shell.environment["XDG_RUNTIME_DIR"])
    result = CliRunner().invoke(netsim, ["link", "--reset", "--all", *twins], standalone_mode=False)
    assert result.return_value == FAILED
    assert result.stdout.splitlines() == ["alice:eth1 – web:eth1  state down → up"]
    assert result.stderr.splitlines() == [
        "alice:eth0 – web:eth0: a node at one of the links does not answer"
    ]


def test_a_link_is_shown_and_a_node_that_is_down_as_well(shell: Shell) -> None:
    (shell.folder / "twins.yaml").write_text(TWINS)
    said(shell, "up", "-d", "--name", "twins", "twins.yaml")
    twins = ("--name", "twins")
    rows = [line.split() for line in said(shell, "link", "web:eth1", "alice", *twins).splitlines()]
    assert rows[0][:4] == ["FROM", "TO", "STATE", "DELAY"]
    values = ["0s", "0%", "0%", "0%", "0%", "1mbit", "0B", "64KiB", "1500"]
    assert rows[1:] == [
        ["web:eth1", "alice:eth1", "up", "0s", *values],
        ["alice:eth1", "web:eth1", "up", "0s", *values],
    ]
    first = said(shell, "link", "alice:eth0", "web", *twins)
    assert "bursts 1%/20%" in first
    assert "unlimited" in first
    code, _, err = shell.run("link", "alice", "web", *twins)
    assert (code, err) == (
        1,
        "netsim: 2 links lead from alice to web; write one of alice:eth0, alice:eth1\n",
    )
    said(shell, "node", "web", "kill", *twins)
    assert said(shell, "link", "alice:eth0", "web", *twins).splitlines()[-1] == (
        "it has no carrier while a node at its end is down"
    )


def test_partitions(shell: Shell) -> None:
    assert said(shell, "partition", "alice", "web") == "alice:eth0 – web:eth0  down\n"
    assert said(shell, "partition", "alice", "web") == "no link had to go: there was no path\n"
    assert json.loads(said(shell, "repair", "--json"))["links"][0]["up"]
    assert said(shell, "repair") == "nothing to repair: no partition is in force\n"
    code, _, err = shell.run("partition", "alcie", "web")
    assert (code, err) == (1, "netsim: home has no node 'alcie'; write `alice`\n")
    code, _, err = shell.run("partition", "alice,web", "web")
    assert (code, err) == (2, "netsim: web is in both groups; write it in one of them\n")


def typed(shell: Shell, line: str) -> str:
    return said(shell, *line.split())


def test_packets_and_connections(shell: Shell) -> None:
    dropped = "drop alice ↔ web, tcp, 80\n"
    assert typed(shell, "drop alice web --both-ways --protocol tcp --port 80") == dropped
    isolated = "isolate alice | web\n"
    assert said(shell, "isolate", "alice", "web") == dropped + isolated
    assert typed(shell, "connections web:80 reset") == dropped + isolated
    cut = said(
        shell, *["connections", "web:80", "cut", "--after", "64KiB", "--from", "alice", "--json"]
    )
    assert json.loads(cut)["in_force"][2] == "cut alice → web:80, after 64KiB"
    assert said(shell, "repair") == (
        "drop alice ↔ web, tcp, 80  healed\nisolate alice | web  healed\n"
        "cut alice → web:80, after 64KiB  healed\n"
    )
    assert typed(shell, "connections web:80 reset") == "done; nothing is left in force\n"
    for line in ("slow-close --delay 5s", "refuse --first 3", "stall"):
        said(shell, "connections", "web:80", *line.split())
    assert said(shell, "repair") == (
        "slow_close * → web:80, by 5s  healed\nrefuse * → web:80, the first 3  healed\n"
        "stall * → web:80  healed\n"
    )
    code, _, err = shell.run("drop", "alice", "wbe")
    assert (code, err) == (1, "netsim: home has no node 'wbe'; write `web`\n")
    code, _, err = shell.run("connections", "web:80", "cut", "--after", "64")
    assert code == 2
    assert "has no unit" in err


def test_programs(shell: Shell) -> None:
    assert said(shell, "node", "web", "kill-program") == "web  what ran there was killed\n"
    assert said(shell, "node", "web", "pause") == "web  what runs there stands still\n"
    assert said(shell, "node", "web", "resume") == "web  what runs there goes on\n"


def test_long_forms_are_written_as_in_a_file(shell: Shell, tmp_path: Path) -> None:
    ends = "alice:eth0 – web:eth0"
    for option, value, change in (
        ("--jitter", "{spread: 5ms, distribution: normal}", "jitter 0s → 5ms normal"),
        ("--queue", "{fq_codel: {target: 3ms}}", "queue 1000 → fq_codel"),
        ("--loss", "{gilbert_elliott: {p: 1%, r: 20%}}", "loss 0% → bursts 1%/20%"),
    ):
        assert said(shell, "link", "alice", "web", option, value, "--from", "alice") == (
            f"alice:eth0 → web:eth0  {change}\n"
        )
    (tmp_path / "cell.mahi").write_text("1\n2\n")
    change = "bandwidth unlimited → cell.mahi"
    bandwidth = "{file: cell.mahi}"
    assert said(shell, "link", "alice", "web", "--bandwidth", bandwidth) == f"{ends}  {change}\n"
    code, _, err = shell.run("link", "alice", "web", "--bandwidth", "{file: none.mahi}")
    assert code == 2
    assert "there is no file" in err


def test_nodes(shell: Shell) -> None:
    assert said(shell, "node", "web", "kill") == "web  running (pid 10) → dead\n"
    assert said(shell, "node", "web", "stop") == "web is dead already\n"
    assert said(shell, "node", "web", "start") == "web  dead → running (pid 11)\n"
    assert json.loads(said(shell, "node", "web", "kill", "--json")) == {
        "node": "web",
        "before": {"kind": "computer", "pid": 11, "state": "running"},
        "after": {"kind": "computer", "pid": None, "state": "dead"},
    }
    code, _, err = shell.run("node", "alice", "start")
    assert (code, err) == (1, "netsim: alice is up already\n")
    code, _, err = shell.run("node", "alcie", "kill")
    assert code == 1
    assert "write `alice`" in err


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("link a b --delay 80", "write a duration in ns, us, ms, s, min or h"),
        ("link a b --jitter -1", "is negative"),
        ("link a b --bandwidth 100", "write a rate in bit, kbit"),
        ("link a b --bandwidth 0bit", "carries nothing"),
        ("link a b --loss 0.1", "write a percentage"),
        ("link a b --corrupt 101%", "more than 100%"),
        ("link a b --queue 0", "at least one packet"),
        ("link a b --queue many", "packets (`100`) or bytes"),
        ('link a b --queue {"fq_codell":{}}', "write `fq_codel`"),
        ('link a b --queue {"codel":{"target":5}}', "`5` has no unit"),
        ('link a b --jitter {"distribution":"normal"}', "the key `spread` is missing"),
        ("link a b --bandwidth {file:", "this is not YAML"),
        ("link a b --flap 2", "has no unit"),
        ("link a b --flap 0s", "a period of 0"),
        ("link a b --up --down", "either --down or --up"),
        ("link a b --delay 1ms --down", "either --down or --delay"),
        ("link a b --flap 1s --delay 1ms", "either --flap or --delay"),
        ("link a b --flap 1s --times 0", "--times"),
        ("link a b --times 3", "--times belongs to --flap"),
        ("link a b --down --from a", "--from belongs to"),
        ("link a", "a link has two ends"),
        ("partition a,,b c", "`a,,b` is no group"),
        ("partition a", "Missing argument"),
        ("drop a", "Missing argument"),
        ("drop a b --protocol ip", "'tcp', 'udp', 'icmp'"),
        ("drop a b --port 0", "--port"),
        ("isolate a,,b c", "`a,,b` is no group"),
        ("connections web stall", "write NODE:PORT"),
        ("connections web:x stall", "write NODE:PORT"),
        ("connections web:80 cut", "cut needs --after"),
        ("connections web:80 stall --after 5KiB", "stall takes no --after"),
        ("connections web:80 refuse --first x", "--first"),
        ("connections web:80 break", "'reset', 'cut', 'stall'"),
        ("node a kil", "'kill', 'stop', 'start', 'restart'"),
    ],
)
def test_wrong_usage_is_noticed_before_anything_is_asked(line: str, text: str) -> None:
    result = CliRunner().invoke(netsim, line.split(), standalone_mode=False)
    assert isinstance(result.exception, Exception)
    message, code = explain(result.exception)
    assert (code, result.output) == (MISUSED, "")
    assert text in message
