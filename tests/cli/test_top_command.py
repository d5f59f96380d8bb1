"""`top` of a network that is only told of: in a pipe, on a terminal, as JSON, and until its end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess

import pytest
from netsim_shell import Shell
from networks import NETSIM

pytest_plugins = ("told_network",)

HEAD = "FROM        TO        RATE         USED  FRAMES/S  QUEUED  DROPPED\n"
FIRST = (
    "1.500 s: 1 of 2 directions busy, 1.25 Mbit/s over all links\n"
    + HEAD
    + "alice:eth0  web:eth0  1.25 Mbit/s  12%   104       3       7\n"
)


def test_plain_tables_in_a_pipe(shell: Shell) -> None:
    assert shell.run("top", "--once") == (0, FIRST, "")
    code, out, err = shell.run("top", "-n", "2", "--interval", "0.1")
    late = "timing cannot be trusted: 12,000 frames up to 94 ms late, at web"
    assert (code, err) == (0, "")
    assert out == f"{FIRST}\n{FIRST}down or not responding: lab\n{late}\n"


def test_a_line_of_json_for_each_interval(shell: Shell) -> None:
    code, out, err = shell.run("top", "-n", "3", "--json")
    documents = [json.loads(line) for line in out.splitlines()]
    assert (code, len(documents), err) == (0, 3, "")
    assert documents[0]["links"][0]["sender"] == "alice:eth0"
    assert [each["timing"]["trusted"] for each in documents] == [True, False, False]


def test_it_is_live_on_a_terminal_until_ctrl_c(shell: Shell) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *NETSIM, "top", "--interval", "0.1"],
        env={**shell.environment, "COLUMNS": "100", "LINES": "30", "TERM": "xterm"},
        cwd=shell.folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as top:
        os.close(theirs)
        seen = b""
        while seen.count(b"directions busy") < 3:
            seen += os.read(ours, 65_536)
        assert b"alice:eth0" in seen
        assert b"web:eth0" in seen
        assert b"down or not responding: lab" in seen
        top.send_signal(signal.SIGINT)
        try:
            while os.read(ours, 65_536):
                pass
        except OSError:  # a terminal whose other side is closed
            pass
        assert top.wait(10) == 130
    os.close(ours)


def test_two_at_once_end_with_the_network(shell: Shell) -> None:
    with (
        shell.start("top", "--json", "--interval", "0.1") as one,
        shell.start("top", "--interval", "0.1") as other,
    ):
        assert one.stdout is not None
        assert other.stdout is not None
        assert json.loads(one.stdout.readline())["seconds"] == 0.1
        assert "directions busy" in other.stdout.readline()
        shell.run("down")
        for each in (one, other):
            _, err = each.communicate()
            assert (each.returncode, err) == (0, "")


def test_a_reader_that_goes_ends_it(shell: Shell) -> None:
    with shell.start("top", "--interval", "0.1") as top:
        assert top.stdout is not None
        top.stdout.readline()
        top.stdout.close()
        assert top.wait(20) == 1


@pytest.mark.parametrize("words", [["--interval", "0"], ["-n", "0"], ["--interval", "soon"]])
def test_what_cannot_be_meant(shell: Shell, words: list[str]) -> None:
    assert shell.run("top", *words)[0] == 2
