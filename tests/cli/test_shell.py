"""`netsim shell`: scripts, and the prompt on a terminal of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import Shell, network_up
from networks import NETSIM

from netsim.cli.shell_completion import candidates
from netsim.cli.shell_words import ShellWords
from netsim.control.chosen_network import find
from netsim.control.control_client import ControlClient

PAIR = """\
name: pair
nodes:
  alice: {kind: computer}
  web: {kind: computer}
  s1: {kind: switch}
links: [[alice, s1], [web, s1]]
"""


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    with network_up(tmp_path_factory.mktemp("pair"), PAIR) as shell:
        yield shell


def script(shell: Shell, text: str, *options: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [*NETSIM, "shell", *options],
        input=text,
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_words_of_mininet(pair: Shell) -> None:
    code, out, err = script(
        pair,
        "nodes\n# a comment\n\nalice ping -c1 web\nnet\nlink alice s1 down\nlink alice s1 up\n",
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["computer  alice web", "switch    s1"]
    assert "1 packets transmitted, 1 received, 0% packet loss" in out
    assert "alice  eth0       s1:eth0" in lines
    assert lines[-2:] == [
        "alice:eth0 – s1:eth0  state up → down",
        "alice:eth0 – s1:eth0  state down → up",
    ]


def test_words_of_mininet_that_take_no_nodes(pair: Shell) -> None:
    code, out, err = script(pair, "intfs\npingpair\ntime pingallfull 2.5\n")
    assert (code, err) == (0, "")
    assert out.startswith("alice: eth0\nweb: eth0\ns1: eth0,eth1\nPING web (")
    assert "PING alice (" in out
    assert re.search(r"\n alice->web: rtt [\d.]+ ms\n web->alice: rtt [\d.]+ ms\n", out)
    assert re.search(r"\n\*\*\* Elapsed time: \d+\.\d{3} s\n$", out)
    _, out, err = script(pair, "link alice s1 down\niperf\nlink alice s1 up\n")
    assert "\n*** Iperf: from alice to web\n" in out
    assert err.startswith("iperf3: error - ")


def test_every_command_is_there_and_goes_to_this_network(pair: Shell) -> None:
    code, out, err = script(pair, "ps\ninspect web\npingall\ndump\nlinks\nlogs\n", "pair")
    assert (code, err) == (0, "")
    for words in (
        "pair",
        "tcp.passive_opens",
        "0% dropped (2/2 received)",
        "web:eth0    s1:eth1  up",
    ):
        assert words in out


def test_only_sh_is_evaluated_by_a_shell(pair: Shell) -> None:
    code, out, err = script(
        pair, "sh echo $((40 + 2)) | tr 2 3\nalice ping -c1 `touch x` ; touch y\nalice $(touch z)\n"
    )
    assert out == "43\n"
    assert code == 127
    assert "there is no `;` here: a line is one command" in err
    assert not [name for name in ("x", "y", "z") if (pair.folder / name).exists()]


@pytest.mark.parametrize(
    ("lines", "options", "code"),
    [
        ("alice nosuch\nnodes\n", [], 0),
        ("nodes\nalice nosuch\n", [], 127),
        ("alice nosuch\n# only a comment\n\n", [], 127),
        ("alice nosuch\nnodes\n", ["-e"], 127),
        ("alice nosuch\nexit\nnodes\n", [], 127),
        ("exit 7\nalice nosuch\n", [], 7),
        ("sh exit 9\n", [], 9),
        ("frobnicate\n", [], 127),
        ('alice ping "web\n', [], 2),
        ("exit now\n", [], 2),
        ("", [], 0),
    ],
)
def test_a_script_does_as_sh_does(pair: Shell, lines: str, options: list[str], code: int) -> None:
    ended, out, _ = script(pair, lines, *options)
    assert ended == code
    assert ("computer" in out) == ((lines.endswith("nodes\n") and code == 0) or "nodes\na" in lines)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("wbe ping alice", "-:1: pair has no node `wbe`; write `web`"),
        ("pnigall", "-:1: there is no node or command `pnigall`; write `pingall`"),
        ("alice", "-:1: what is alice to do? write `alice ping …`"),
        ("alice ping web | wc", "write `sh netsim exec alice ping web | wc`"),
        ("pingall > x", "write `sh netsim pingall > x`"),
        ("py h1", "-:1: there is no `py`; Python does all of this in a program of yours"),
        ("xterm alice", "there is no `xterm`; a node has no window; write `NODE COMMAND`"),
        ("dpctl dump-flows", "write `SWITCH mac-table`"),
        ("iperfudp 10M alice web", "write `iperf NODE NODE -u -b 10mbit`"),
        ("noecho alice ping web", "nothing is echoed; write `NODE COMMAND`"),
        ("time", "-:1: time takes a line; write `time h1 ping -c1 h2`"),
        ('alice ping "web', '-:1: no closing quotation in `alice ping "web`; close it'),
        ("shell", "this is the prompt; `exit` leaves it"),
        ("source", "source takes one file; write `source FILE`"),
        ("source nowhere", "netsim: nowhere: No such file or directory"),
        ("sh", "sh takes a command; write `sh ls`"),
        ("link alice web down", "netsim: "),
    ],
)
def test_a_wrong_line_is_told_in_one(pair: Shell, line: str, text: str) -> None:
    code, out, err = script(pair, f"{line}\n")
    assert code != 0
    assert out == ""
    assert text in err
    assert err.count("\n") == 1


def test_what_is_no_script_ends_it(pair: Shell) -> None:
    with open("/dev/zero", "rb") as endless:  # a line without an end
        done = subprocess.run(
            [*NETSIM, "shell"],
            stdin=endless,
            env=pair.environment,
            capture_output=True,
            text=True,
            check=False,
        )
    told = "netsim: -:1: a line of more than 65,536 characters\n"
    assert (done.returncode, done.stderr) == (2, told)
    code, _, err = script(pair, f'alice ping "{"x" * 1000}\n')
    assert code == 2
    assert len(err) < 150


def test_scripts_may_source_scripts_and_not_themselves_for_ever(pair: Shell) -> None:
    (pair.folder / "inner").write_text("sh echo inner\nalice nosuch\n")
    (pair.folder / "outer").write_text("source inner\nsh echo outer\n")
    (pair.folder / "circle").write_text("source circle\n")
    code, out, err = script(pair, "source outer\n")
    assert (code, out) == (0, "inner\nouter\n")
    assert err.startswith("nosuch: ")
    code, _, err = script(pair, "source circle\n")
    assert (code, err) == (
        2,
        "netsim: circle is sourced by scripts that source each other\n",
    )


def test_without_a_network_there_is_no_prompt(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        code, _, err = script(shell, "nodes\n")
        assert (code, err) == (1, "netsim: no network is running; netsim up FILE starts one\n")
    finally:
        shell.close()


def test_a_network_that_goes_down_meanwhile_leaves_the_prompt(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        (tmp_path / "pair.yaml").write_text(PAIR)
        assert shell.run("up", "-d", "pair.yaml")[0] == 0
        code, out, err = script(shell, "down\nalice ping web\nlinks\nsh echo still here\n")
        assert (code, out) == (0, "pair is down\nstill here\n")
        assert len(err.splitlines()) == 2
    finally:
        shell.close()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pingall", {"pingall", "pingallfull"}),
        ("al", {"alice"}),
        ("alice pi", {"ping"}),
        ("time alice pi", {"ping"}),
        ("alice ping w", {"web"}),
        ("s1 ", {"mac-table"}),
        ("link alice s1 d", {"down"}),
        ("help pinga", {"pingall"}),
        ("nosuch w", set()),
    ],
)
def test_what_tab_offers(
    pair: Shell, monkeypatch: pytest.MonkeyPatch, line: str, words: set[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", pair.environment["XDG_RUNTIME_DIR"])
    known = ShellWords(ControlClient(find("pair")))
    assert {word for word, _ in candidates(known, line)} == words


class Terminal:
    """A prompt on a terminal, and what it shows."""

    def __init__(self, shell: Shell, *, blocked: str = "") -> None:
        (shell.folder / "blocked").mkdir(exist_ok=True)
        path = shell.environment["PYTHONPATH"]
        if blocked:
            (shell.folder / "blocked" / f"{blocked}.py").write_text("raise ImportError('no')\n")
            path = f"{shell.folder / 'blocked'}:{path}"
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        state = str(shell.folder / "state")
        more = {"PYTHONPATH": path, "TERM": "xterm", "XDG_STATE_HOME": state}
        self._process = subprocess.Popen(
            ["setsid", "--ctty", *NETSIM, "shell"],  # the terminal's Ctrl-C is for it
            cwd=shell.folder,
            env={**shell.environment, **more},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, pattern: str) -> None:
        """Until the terminal shows it, from what it has shown since the last time."""
        end = time.monotonic() + 20
        while not (found := re.search(pattern, self.seen)):
            readable, _, _ = select.select([self._terminal], [], [], end - time.monotonic())
            assert readable, f"{pattern} is not in {self.seen!r}"
            try:
                data = os.read(self._terminal, 65_536)
            except OSError:
                raise AssertionError(f"it has ended: {self.seen}") from None
            if b"\x1b[6n" in data:  # prompt_toolkit asks where the cursor is
                os.write(self._terminal, b"\x1b[1;1R")
            self.seen += data.decode(errors="replace")
        self.seen = self.seen[found.end() :]

    def ended(self) -> int:
        with contextlib.suppress(OSError):
            while os.read(self._terminal, 65_536):
                pass
        os.close(self._terminal)
        return self._process.wait(20)


@pytest.mark.parametrize("blocked", ["", "prompt_toolkit"])
def test_a_prompt_on_a_terminal(pair: Shell, blocked: str) -> None:
    if not blocked:
        pytest.importorskip("prompt_toolkit")
    terminal = Terminal(pair, blocked=blocked)
    if blocked:
        terminal.wait_for(r"without prompt_toolkit completion is plainer")
    terminal.wait_for("pair>")
    terminal.type("alice pi\t")
    terminal.wait_for("ng ?")
    terminal.type(("" if blocked else " ") + "web\r")
    terminal.wait_for("icmp_seq=1")
    terminal.type("\x03")
    terminal.wait_for("0% packet loss")
    terminal.wait_for("pair>")
    terminal.type("nod\x03")
    terminal.wait_for("pair>")
    terminal.type("exit 5\r")
    assert terminal.ended() == 5
    history = pair.folder / "state" / "netsim" / "shell_history"
    assert "alice ping web" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600
