"""What programs print and files are called does to a terminal only what text does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netsim_shell import Shell

from netsim.cli.printing import columns, print_json_line
from netsim.cli.watchers import Terminal
from netsim.core.printable import printable

PROGRAM = """\
import asyncio, logging, sys

async def main():
    print("\\x1b]0;PWNED\\x07\\x1b[31mred\\x1b[2J\\x1b[H fake prompt $ \\r overwritten")
    logging.getLogger("x").error("err \\x1b[5mblink\\x1b[0m \\x9b31m c1")
    sys.stderr.write("no newline at all \\x1b[?25l")
    print("nul\\0in\\u202eside")
    await asyncio.sleep(1e6)

async def die():
    raise RuntimeError("\\x1b]0;PWNED2\\x07boom\\nsecond line")
"""
NETWORK = """\
name: esc
nodes:
  a: {kind: computer, run: "esc:main"}
  b: {kind: computer, run: "esc:die"}
links: [[a, b]]
"""
SCENARIO = "name: red\ntopology: esc.yaml\nsteps:\n  - wait: 1s\n"


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    (tmp_path / "esc.py").write_text(PROGRAM)
    (tmp_path / "esc.yaml").write_text(NETWORK)
    yield shell
    shell.close()


def raw(text: str) -> list[str]:
    return [each for each in text if not each.isprintable() and each not in "\n\t"]


def test_lines_of_programs_in_up_and_logs(shell: Shell) -> None:
    up = shell.start("up", "esc.yaml")
    assert up.stdout is not None
    head = ""
    while "esc is up" not in head:
        line = up.stdout.readline()
        assert line, f"it ended: {head}{up.communicate()}"
        head += line
    code, out, err = shell.run("logs")
    document = json.loads(shell.run("logs", "--json")[1])
    up.send_signal(signal.SIGINT)
    rest, complaints = up.communicate()
    assert (code, raw(out), raw(err)) == (0, [], [])
    assert raw(head + rest + complaints) == []
    assert r"\x1b]0;PWNED\x07\x1b[31mred" in out
    assert r"nul\x00in\u202eside" in out
    # As it was, for programs; and what JSON itself would leave raw is escaped, too.
    texts = [line["text"] for line in document["lines"]]
    assert any("\x1b[31mred" in text for text in texts)
    assert raw(shell.run("logs", "--json")[1]) == []


def test_lines_of_programs_in_test(shell: Shell) -> None:
    (shell.folder / "run.yaml").write_text(SCENARIO)
    files = [shell.folder / name for name in ("report.html", "junit.xml")]
    code, out, err = shell.run(
        "test", "run.yaml", "--html", str(files[0]), "--junit", str(files[1])
    )
    assert code == 1
    assert (raw(out), raw(err)) == ([], [])
    assert [raw(file.read_text()) for file in files] == [[], []]
    assert "boom" in out


@pytest.mark.parametrize("name", ["a\x1b[31m\r\u202eb.yaml", "a\nb.yaml"])
@pytest.mark.parametrize("command", ["up", "validate", "graph", "test"])
def test_names_of_files(shell: Shell, command: str, name: str) -> None:
    for text in (None, NETWORK.replace("b]", "zz]")):
        if text is not None:
            (shell.folder / name).write_text(text)
        code, out, err = shell.run(command, name)
        assert (code != 0, raw(out), raw(err)) == (True, [], [])
        assert printable(name) in err
        assert "a bug" not in err


def test_names_that_are_no_text(shell: Shell) -> None:
    """Linux takes any bytes for a name."""
    done = subprocess.run(
        [sys.executable, "-m", "netsim", "validate", b"\xff.yaml"],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert rb"\udcff.yaml:1:1: there is no such file" in done.stderr


def test_cells_of_tables_are_measured_as_they_are_shown() -> None:
    assert columns(("A", "B"), [("\x1b", "x"), ("four", "y")]) == "A     B\n\\x1b  x\nfour  y"


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"text": "\x1b \x9b \u202e é \U000e0001 \ud800"}
    print_json_line(document)
    out = capsys.readouterr().out
    assert raw(out) == []
    assert "é" in out
    assert json.loads(out) == document


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("log", "Traceback (most recent call last)", "b: Traceback (most recent call last)"),
        ("error", "it rubs b out", "b: it rubs b out"),
        ("carrier", "b:eth0 carrier lost", "b:eth0 carrier lost"),
        ("node-started", "b is up again", "b is up again"),
        ("notice", "what runs on b goes on", "what runs on b goes on"),
        ("log", "web-b is up", "b: web-b is up"),
    ],
)
def test_an_event_names_its_node(
    capsys: pytest.CaptureFixture[str], kind: str, text: str, shown: str
) -> None:
    event: dict[str, Any] = {"time_ns": 0, "kind": kind, "node": "b", "text": text}
    Terminal("").event(event)
    assert capsys.readouterr().out.endswith(f"  {shown}\n")


def test_what_is_styled_shows_no_escape_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    node = {"kind": "computer", "state": "running", "pid": 7, "interfaces": []}
    failed = {"call": "shop:main", "state": "failed", "failure": "ValueError: \x1b[2J\nlan is up"}
    network = {
        "name": "lan",
        "ports": [],
        "links": [],
        "nodes": [
            {**node, "name": "a", "programs": [failed]},
            {**node, "name": "b", "state": "dead"},
        ],
    }
    Terminal(farewell="").ready(network)
    lines = capsys.readouterr().out.splitlines()
    assert r"a: run: shop:main has ended with ValueError: \x1b[2J\nlan is up" in lines
    assert "b: has ended; netsim logs b shows what it said" in lines
