"""`netsim test` as a person or a CI system runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from netsim_shell import Shell
from planted_orders import BANK

LAN = """\
name: lan
nodes:
  alice: {kind: computer}
  web: {kind: computer, services: {80: netsim.services.httpbin:create_app}}
  r1: {kind: router}
links:
  - {endpoints: [alice, r1], delay: 1ms, bandwidth: 10mbit}
  - {endpoints: [r1, web], delay: 1ms}
"""
HOLDS = """\
name: it holds
topology: ../lan.yaml
steps:
  - http: {from: alice, url: "http://web/ip", expect: {status: 200, body: "10."}}
  - ping: {from: alice, to: web, expect: {rtt: 4.1ms ± 0.1ms, loss: 0%, ttl: 63}}
  - path: {from: alice, to: web, expect: [r1]}
  - dns: {from: alice, name: web.lan.test, expect: {a: 10.0.2.10}}
  - transfer: {from: alice, to: web, size: 100kB, expect: {goodput: "> 5mbit"}}
"""
FAILS = """\
name: it does <not> hold
topology: ../lan.yaml
seed: 3
steps:
  - wait: 1s
  - down: {link: [r1, web]}
  - http: {from: alice, url: "http://web/", expect: {status: 200, within: 1s}}
"""
LUCK = """\
name: a matter of luck
topology: ../lan.yaml
steps:
  - set: {link: [r1, web], loss: 20%}
  - ping: {from: alice, to: web, count: 3, interval: 10ms, expect: {loss: < 60%}}
"""
FOR_EVER = """\
name: it goes on and on
topology: ../lan.yaml
steps:
  - run: {host: alice, call: begun:say_so}
  - repeat: {times: 1000000, steps: [ping: {from: alice, to: web}]}
"""
BEGUN = """\
import os

async def say_so():
    with open(os.environ["BEGUN"], "w"):
        pass
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    shell.environment["PYTHONWARNINGS"] = "default"
    (tmp_path / "lan.yaml").write_text(LAN)
    folder = tmp_path / "scenarios"
    folder.mkdir()
    for name, text in (("holds", HOLDS), ("fails", FAILS)):
        (folder / f"{name}.yaml").write_text(text)
    # These lie beside them and are none.
    (folder / "lan.yaml").write_text(LAN)
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()
    (folder / "gone.yaml").symlink_to("nowhere.yaml")
    yield shell
    shell.close()


def test_what_holds(shell: Shell) -> None:
    code, out, err = shell.run("test", "scenarios/holds.yaml")
    first, last = out.splitlines()
    assert (code, err) == (0, "")
    assert first.startswith("ok      scenarios/holds.yaml: it holds (5 steps in 2.")
    assert last.startswith("1 scenario: 1 held, in ")


def test_a_directory_with_one_that_fails(shell: Shell) -> None:
    code, out, err = shell.run("test", "scenarios", "--junit", "junit.xml", "--html", "report.html")
    lines = out.splitlines()
    assert (code, err) == (1, "")
    assert lines[:4] == [
        "FAILED  scenarios/fails.yaml: it does <not> hold (seed 3)",
        "scenarios/fails.yaml:7:5: http alice → http://web/, at 1.005s",
        "  expected: a response within 1s",
        "  seen:     network is unreachable",
    ]
    assert any("alice:eth0 → r1:eth0" in line and "Flags [S]" in line for line in lines)
    assert "  again: netsim test scenarios/fails.yaml --seed 3" in lines
    assert lines[-2].startswith("ok      scenarios/holds.yaml: it holds")
    assert lines[-1].startswith("2 scenarios: 1 held, 1 failed, in ")

    report = (shell.folder / "report.html").read_text(encoding="utf-8")
    assert "1 of 2 scenarios did not hold" in report
    assert "it does &lt;not&gt; hold" in report

    root = ElementTree.parse(shell.folder / "junit.xml").getroot()
    (suite,) = root
    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "2",
        "failures": "1",
        "errors": "0",
    }
    failed, held = suite.findall("testcase")
    assert (failed.get("classname"), failed.get("name")) == (
        "scenarios.fails",
        "it does <not> hold",
    )
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == lines[1]
    assert failure.text is not None
    assert "again: netsim test scenarios/fails.yaml --seed 3" in failure.text
    assert held.find("failure") is None
    assert float(held.get("time", "")) > 0


def test_what_again_says_fails_again_in_the_same_way(shell: Shell) -> None:
    first = shell.run("test", "scenarios/fails.yaml")[1].splitlines()
    command = next(line for line in first if "again: netsim " in line).split("again: netsim ")[1]
    again = shell.run(*command.split())[1].splitlines()
    assert again[:-1] == first[:-1]  # the last line has the wall time


def test_the_first_seed_that_fails(shell: Shell) -> None:
    (shell.folder / "luck.yaml").write_text(LUCK.replace("../", ""))
    code, out, _ = shell.run("test", "luck.yaml", "--seeds", "1..40")
    assert code == 1
    seed = int(out.splitlines()[0].split("(seed ")[1].rstrip(")"))
    assert f"  again: netsim test luck.yaml --seed {seed}" in out.splitlines()
    for other in range(1, seed):
        assert shell.run("test", "luck.yaml", "--seed", str(other))[0] == 0
    assert shell.run("test", "luck.yaml", "--seed", str(seed))[0] == 1


DEPOSITS = """\
name: no deposit is lost
topology: lan.yaml
steps: [{run: {host: alice, call: "bank:main", expect: {returns: 30}}}]
sometimes: [{log: {node: web, text: "nothing at all"}}]
"""


def test_orders_of_tasks(shell: Shell) -> None:
    (shell.folder / "bank.py").write_text(BANK)
    (shell.folder / "race.yaml").write_text(DEPOSITS)
    code, out, _ = shell.run("test", "race.yaml", "--seeds", "1..3")
    lines = out.splitlines()
    assert code == 0
    assert lines[1].startswith("  note: all 3 seeds are one run: ")
    assert lines[2] == "  note: sometimes, but never in 3 runs: log `nothing at all` at web"
    assert lines[3].startswith("1 scenario: 1 held, in ")
    assert " (3 runs, " in lines[3]

    options = ["--seeds", "1..16", "--order", "random", "--keep-going", "--junit", "junit.xml"]
    code, out, _ = shell.run("test", "race.yaml", *options)
    lines = out.splitlines()
    assert code == 1
    assert "  which task ran before which, otherwise than in asyncio's order:" in lines
    assert any("bank.py:8 in deposit" in line for line in lines)
    assert any("of tasks, where the run had " in line for line in lines)
    again = [line.split("again: netsim ")[1] for line in lines if "again: netsim" in line]
    assert len(again) > 1
    assert all(each.endswith(" --order random") for each in again)
    (suite,) = ElementTree.parse(shell.folder / "junit.xml").getroot()
    cases = suite.findall("testcase")
    assert len(cases) == len({case.get("name") for case in cases}) == len(again)
    assert "sometimes, but never in 16 runs" in (cases[-1].findtext("system-out") or "")

    first = shell.run("test", *again[0].split()[1:])[1].splitlines()
    assert first[:4] == lines[:4]


def test_what_may_differ_is_noted_once(shell: Shell) -> None:
    (shell.folder / "begun.py").write_text(
        "import subprocess\n\nasync def say_so():\n    subprocess.run(['true'], check=True)\n"
    )
    (shell.folder / "processes.yaml").write_text(
        "name: processes\ntopology: lan.yaml\nsteps:\n  - run: {host: alice, call: begun:say_so}\n"
    )
    code, out, _ = shell.run("test", "processes.yaml", "--seeds", "1..3")
    assert code == 0
    notes = [line for line in out.splitlines() if line.startswith("  note: another run may differ")]
    assert len(notes) == 1
    assert notes[0].startswith("  note: another run may differ: alice: started a process (")
    assert notes[0].endswith("(begun.py:4)")


def test_json_and_traces(shell: Shell) -> None:
    code, out, _ = shell.run("test", "--json", "scenarios", "--trace", "traces")
    assert code == 1
    results = json.loads(out)
    assert [(result["file"], result["held"]) for result in results] == [
        ("scenarios/fails.yaml", False),
        ("scenarios/holds.yaml", True),
    ]
    assert sorted(os.listdir(shell.folder / "traces")) == ["fails.jsonl", "holds.jsonl"]
    shell.run("test", "scenarios/holds.yaml", "--trace", "one.jsonl")
    one = (shell.folder / "one.jsonl").read_text()
    assert one == (shell.folder / "traces" / "holds.jsonl").read_text()
    frames = [json.loads(line) for line in one.splitlines()]
    assert {"time_ns", "link", "direction", "frame", "fate"} == set(frames[0])


def test_the_same_scenario_in_real_time(shell: Shell) -> None:
    text = HOLDS.replace("4.1ms ± 0.1ms", "< 2s").replace("> 5mbit", "> 1mbit")
    (shell.folder / "scenarios" / "holds.yaml").write_text(text)
    code, out, err = shell.run("test", "--time", "real", "scenarios/holds.yaml")
    assert (code, err) == (0, ""), out
    assert out.startswith("ok      scenarios/holds.yaml: it holds (5 steps in ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.yaml"], "nothing.yaml:1:1: there is no such file; check the path"),
        (["lan.yaml"], "lan.yaml:1:1: this is a topology file; start it with `netsim up`"),
        (["empty"], "there are no scenarios in these directories; name a file"),
        (["--seeds", "5", "scenarios"], "`5` is no range of seeds; write for example `1..100`"),
        (["--seeds", "5..1", "scenarios"], "`5..1` is no range of seeds"),
        (["--seeds", "1..1000000", "scenarios"], "1000000 seeds are too many"),
        (["--seed", "1", "--seeds", "1..2", "scenarios"], "`--seed` and `--seeds` exclude"),
        (["--order", "lifo", "scenarios"], "`lifo` is no order of tasks; write `fifo`, `random`"),
        (["--order", "random", "--time", "real", "scenarios"], "in virtual time only; leave it"),
        (["--order", "exhaustive", "--seeds", "1..2", "scenarios"], "`--seeds` does not go with"),
        (["--budget", "60", "scenarios"], "`60` has no unit"),
        (["--explore", "--keep-going", "scenarios"], "`--keep-going` goes not with `--explore`"),
        (["--time", "real", "--trace", "x", "scenarios"], "in virtual time only; leave out"),
        ([], "Missing argument 'PATH...'"),
    ],
)
def test_misuse(shell: Shell, arguments: list[str], message: str) -> None:
    (shell.folder / "empty").mkdir()
    code, out, err = shell.run("test", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_mistakes_of_all_files_are_shown_and_nothing_runs(shell: Shell) -> None:
    for name in ("holds", "fails"):
        file = shell.folder / "scenarios" / f"{name}.yaml"
        file.write_text(file.read_text().replace("alice", "alcie"))
    code, out, err = shell.run("test", "scenarios")
    assert (code, out) == (2, "")
    assert err.count("there is no node `alcie`; write `alice`") == 6


def test_a_host_port_that_is_taken_is_found_before_anything_starts(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        lan = LAN.replace("kind: computer}", f"kind: computer, ports: ['{port}:web:80']}}", 1)
        (shell.folder / "lan.yaml").write_text(lan)
        assert shell.run("test", "scenarios/holds.yaml")[0] == 0
        code, out, err = shell.run("test", "--time", "real", "scenarios/holds.yaml")
    assert (code, out) == (2, "")
    assert err.startswith(f"lan.yaml:3:35: cannot listen on 127.0.0.1:{port}: address already in")


@pytest.mark.parametrize("real", [False, True])
def test_an_interrupt_ends_everything(shell: Shell, real: bool) -> None:
    (shell.folder / "ever.yaml").write_text(FOR_EVER.replace("../", ""))
    (shell.folder / "begun.py").write_text(BEGUN)
    begun = shell.folder / "begun"
    os.mkfifo(begun)
    shell.environment["BEGUN"] = str(begun)
    process = shell.start("test", "ever.yaml", *(["--time", "real"] if real else []))
    begun.read_text()  # until the scenario has begun
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) > (5 if real else 1)  # the server of runs, and the run
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, "", "")
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []


def test_what_is_doubtful_in_a_topology_is_told_once(shell: Shell) -> None:
    (shell.folder / "lost.yaml").write_text(
        "name: lost\nnodes:\n  a: {kind: computer, gateway: 10.0.1.9}\n  b: {kind: computer}\n"
        "links: [[a, b]]\n"
    )
    for name in ("one", "two"):
        (shell.folder / f"{name}.yaml").write_text(
            f"name: {name}\ntopology: lost.yaml\nsteps: [ping: {{from: a, to: b}}]\n"
        )
    code, out, err = shell.run("test", "one.yaml", "two.yaml")
    assert code == 0, out
    assert err.startswith("lost.yaml:3:32: warning: no node has the address 10.0.1.9, so nothing")
    assert err.count("\n") == 1
