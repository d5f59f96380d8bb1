from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from netsim_shell import FAKE_NETSIM, HOME, Prompt, Shell

from netsim import NotRunningError
from netsim.cli.printing import columns
from netsim.cli.root import netsim

COMMANDS = netsim.list_commands(click.Context(netsim))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path, up=FAKE_NETSIM)
    (tmp_path / "home.yaml").write_text(HOME)
    yield shell
    shell.close()


@pytest.fixture
def prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Prompt:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "home.yaml").write_text(HOME)
    return Prompt(capsys)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_examples_and_a_page(prompt: Prompt, name: str) -> None:
    for option in ("-h", "--help"):
        code, out, err = prompt.run(name, option)
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: netsim {name}")
        assert f"\n  Examples:\n    netsim {name}" in out
    assert (Path(__file__).parents[2] / "docs" / "commands" / f"{name}.md").exists()


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_lists_the_commands_that_exist(prompt: Prompt, arguments: list[str]) -> None:
    code, out, _ = prompt.run(*arguments)
    assert code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vlaidate"], "netsim: there is no command `vlaidate`; write `validate`"),
        (["ping", "alice", "web"], "there is no command `ping`; write `exec alice ping web`"),
        (["ping", "-c", "3", "web"], "write `exec NODE ping -c 3 web`"),
        (["nodes"], "write `inspect`"),
        (["h1", "ping", "-c3", "h2"], "write `exec h1 ping -c3 h2`"),
        (["h1", "ifconfig", "-a"], "write `exec h1 ip addr`"),
        (["h1", "netstat", "-rn"], "write `exec h1 ip route`"),
        (["h1", "tc", "qdisc"], "write `netsim link h1 PEER --delay 80ms --loss 5%`"),
        (["h1", "python3", "x.py"], "write `run: module:function` in the topology file"),
        (["sh", "ls"], "write it without `netsim sh`"),
        (["clean"], "write `down --all`"),
        (["link", "r1", "r2", "--bw", "10"], "there is no `--bw`; write `--bandwidth`"),
        (["up", "-t", "home.yaml"], "there is no `-t`; write the file alone"),
        (["up", "--topo", "linear,3"], "write `netsim generate linear 3 | netsim up -`"),
        (
            ["--topo", "linear,3"],
            "there is no `--topo`; write `netsim generate linear 3 | netsim up",
        ),
        (["exec", "-it", "h1", "bash"], "there is no `-i`; write the node and the tool alone"),
        (["link", "r1", "r2", "down"], "`down` is an option here; write `link r1 r2 --down`"),
        (["link", "down", "r1", "r2"], "write `link r1 r2 --down`"),
        (["link", "r1", "r2", "delay", "80ms"], "write `link r1 r2 --delay 80ms`"),
        (["link", "r1", "r2", "bw", "10"], "write `link r1 r2 --bandwidth RATE`"),
        (["link", "r1", "r2", "r3"], "`r3` is one word too many; a link is named by its two ends"),
        (["home.yaml"], "write `up home.yaml`"),
        (["frobnicate"], f"write one of {', '.join(f'`{name}`' for name in COMMANDS)};"),
        (["--name", "x", "ps"], "netsim: `ps` takes no `--name`; leave it out"),
        (["--name", "x", "down", "--name", "y", "z"], "netsim down: either NAMEs or --all"),
        (["up"], "netsim up: Missing argument 'FILE'"),
        (["up", "--detch", "home.yaml"], "netsim up: No such option"),
        (["up", "--seed", "x", "home.yaml"], "netsim up: Invalid value for '--seed'"),
        (["exec", "alice"], "netsim exec: Missing argument 'CMD...'"),
        (["link", "alice"], "netsim link: a link has two ends: write NODE NODE"),
        (["link", "--all"], "netsim link: --all is for `--reset --all`, without nodes"),
        (["link", "--all", "--down"], "netsim link: --all is for `--reset --all`, without nodes"),
        (["link", "--reset"], "netsim link: a link has two ends: write NODE NODE"),
        (["link", "--down"], "netsim link: a link has two ends: write NODE NODE"),
        (["down", "x", "--all"], "netsim down: either NAMEs or --all"),
        (["down", "x", "--name", "y"], "netsim down: either NAMEs or --all"),
        (["capture"], "netsim capture: Missing argument 'NODE[:IFACE]... [FILTER]'"),
        (["wireshark"], "write `capture NODE -w - | wireshark -k -i -`"),
        (["tcpdump"], "write `capture NODE`"),
        (["h1", "tcpdump", "-n"], "write `exec h1 tcpdump -n`"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    prompt: Prompt, arguments: list[str], message: str
) -> None:
    code, out, err = prompt.run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "word", ["deploy", "destroy", "start", "stop", "status", "version", "tcpdump", "netem"]
)
def test_words_of_other_tools_are_answered_with_ours(prompt: Prompt, word: str) -> None:
    code, _, err = prompt.run(word)
    named = re.findall(r"`(--)?(\w+)", err.partition("; write ")[2])
    assert code == 2
    assert named
    assert all(command in [*COMMANDS, "version", "net"] for _, command in named), err


@pytest.mark.parametrize("command", ["inspect", "down", "logs"])
def test_the_name_of_a_network_may_stand_before_the_command(prompt: Prompt, command: str) -> None:
    before = prompt.run("--name", "office", command)
    assert before == prompt.run(command, "--name", "office")
    assert "`office`" in before[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_files_of_the_examples_exist(prompt: Prompt, name: str) -> None:
    _, out, _ = prompt.run(name, "--help")
    for file in re.findall(r"(?:topologies|tests)/[\w/.-]+", out):
        assert (Path(__file__).parents[2] / file).exists()


def test_an_error_is_one_line_unless_debugging(prompt: Prompt) -> None:
    assert prompt.run("inspect") == (
        1,
        "",
        "netsim: no network is running; netsim up FILE starts one\n",
    )
    with pytest.raises(NotRunningError):
        prompt.run("--debug", "inspect")


def test_a_bug_says_how_to_see_more(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsim.cli.ps.running", lambda: 1 / 0)
    code, out, err = prompt.run("ps")
    assert (code, out) == (1, "")
    assert err.startswith("netsim: a bug: ZeroDivisionError: division by zero; netsim --debug")


def test_the_version(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"1.2.3 of {name}")
    assert prompt.run("--version") == (0, "netsim 1.2.3 of netsim-internet\n", "")


def test_validate_prints_every_mistake(prompt: Prompt) -> None:
    Path("bad.yaml").write_text(
        "name: home\nnodes: {a: {kind: computer}}\nlinks:\n  - [a, b]\n  - [a, c]\n"
    )
    code, out, err = prompt.run("validate", "home.yaml", "bad.yaml")
    assert (code, out) == (2, "home.yaml: ok, 2 nodes, 1 link\n")
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("bad.yaml:4:9: ")
    assert lines[1].startswith("bad.yaml:5:9: ")
    code, out, err = prompt.run("validate", "--json", "home.yaml", "bad.yaml")
    assert (code, err) == (2, "")
    good, bad = json.loads(out)
    assert good == {
        "file": "home.yaml",
        "ok": True,
        "name": "home",
        "nodes": 2,
        "links": 1,
        "problems": [],
        "warnings": [],
        "more": 0,
    }
    assert not bad["ok"]
    assert [(each["line"], each["column"]) for each in bad["problems"]] == [(4, 9), (5, 9)]


def test_what_is_doubtful_is_told_and_is_no_mistake(prompt: Prompt) -> None:
    lost = HOME.replace("alice: {kind: computer", "alice: {kind: computer, gateway: 10.0.1.77")
    assert lost != HOME
    Path("home.yaml").write_text(lost)
    code, out, err = prompt.run("validate", "home.yaml")
    assert (code, out) == (0, "home.yaml: ok, 2 nodes, 1 link\n")
    assert err.startswith("home.yaml:3:36: warning: no node has the address 10.0.1.77, so nothing")
    code, out, err = prompt.run("validate", "--json", "home.yaml")
    (document,) = json.loads(out)
    assert (code, err, document["problems"]) == (0, "", [])
    (warning,) = document["warnings"]
    assert (warning["line"], warning["column"]) == (3, 36)
    assert warning["message"].startswith("no node has the address 10.0.1.77")


def test_validate_knows_a_scenario(prompt: Prompt) -> None:
    Path("good.yaml").write_text("name: x\ntopology: home.yaml\nsteps: [{wait: 1s}]\n")
    Path("bad.yaml").write_text("name: x\ntopology: home.yaml\nsteps: [{wiat: 1s}]\n")
    code, out, err = prompt.run("validate", "good.yaml", "bad.yaml")
    assert (code, out) == (2, "good.yaml: ok, 1 step, 2 nodes, 1 link\n")
    assert err.startswith("bad.yaml:3:10: ")


@pytest.mark.parametrize("command", ["up", "graph"])
def test_a_scenario_is_no_topology(shell: Shell, command: str) -> None:
    (shell.folder / "x.yaml").write_text("name: x\ntopology: home.yaml\nsteps: [{wait: 1s}]\n")
    assert shell.run(command, "x.yaml") == (
        2,
        "",
        "x.yaml:1:1: this is a scenario, not a topology; run it with `netsim test`, or name its "
        "topology: `home.yaml`\n",
    )


def test_validate_of_good_files_and_of_none(prompt: Prompt) -> None:
    assert prompt.run("validate", "home.yaml") == (0, "home.yaml: ok, 2 nodes, 1 link\n", "")
    code, _, err = prompt.run("validate", "absent.yaml")
    assert code == 2
    assert err.startswith("absent.yaml:")


def test_inspect(shell: Shell) -> None:
    shell.run("up", "-d", "home.yaml")
    code, out, _ = shell.run("inspect")
    assert code == 0
    assert "127.0.0.1:8080  alice      web:80\n" in out
    assert "alice:eth0  web:eth0  up\n" in out
    code, out, _ = shell.run("inspect", "web")
    assert out.startswith("web: computer, running, pid 1\n")
    assert "eth0       up     02:00:00:00:00:01  10.0.0.1/24  [s1]" in out
    assert "0.0.0.0/0  10.0.0.254  eth0\n" in out
    assert "tcp.resets  3\n" in out
    assert json.loads(shell.run("inspect", "--json")[1])["name"] == "home"
    assert json.loads(shell.run("inspect", "web", "--json")[1])["name"] == "web"
    code, _, err = shell.run("inspect", "alcie")
    assert code == 1
    assert "write `alice`" in err


def test_exec_passes_everything_after_the_node_to_the_tool(shell: Shell) -> None:
    shell.run("up", "-d", "home.yaml")
    assert shell.run("exec", "alice", "echo", "--json") == (0, "--json", "")
    assert shell.run("exec", "alice", "echo", "-h") == (0, "-h", "")
    assert shell.run("exec", "alice", "crash") == (7, "", "")
    code, _, err = shell.run("exec", "alcie", "echo", "x")
    assert code == 1
    assert "write `alice`" in err
    assert shell.run("exec", "alice", "fail") == (1, "", "netsim: the tool broke\n")


def test_ctrl_c_ends_the_tool_which_says_its_last_words(shell: Shell) -> None:
    shell.run("up", "-d", "home.yaml")
    with shell.start("exec", "alice", "wait") as tool:
        assert tool.stdout is not None
        assert tool.stdout.readline() == "waiting\n"
        tool.send_signal(signal.SIGINT)
        assert tool.communicate() == ("statistics\n", "")
        assert tool.returncode == 130


def test_a_network_that_ends_under_a_tool(shell: Shell) -> None:
    shell.run("up", "-d", "home.yaml")
    with shell.start("exec", "alice", "wait") as tool:
        assert tool.stdout is not None
        assert tool.stdout.readline() == "waiting\n"
        shell.run("down")
        _, err = tool.communicate()
        assert tool.returncode == 1
        assert err.startswith("netsim: ")


@pytest.mark.parametrize("arguments", [["--help"], ["ps"], ["exec", "alice", "ip"], ["inspect"]])
def test_quick_commands_import_nothing_heavy(shell: Shell, arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from netsim.cli.outcome import run\n"
        f"run({arguments!r})\n"
        "heavy = {'aiohttp', 'asyncio', 'networkx', 'pydantic', 'rich', 'yaml'}\n"
        "print(*sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=shell.environment,
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert result.stderr.splitlines()[-1] == ""


def test_columns_are_aligned() -> None:
    assert columns(("A", "LONG"), [("wide", "x"), ("y", "")]) == "A     LONG\nwide  x\ny"
