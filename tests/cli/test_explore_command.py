"""`netsim test --explore` as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import Shell

from netsim.cli.fault_search import explore_all
from netsim.scenario.load_scenario import load_scenario

LAN = """\
name: ring
nodes:
  alice: {kind: computer}
  web: {kind: computer}
  r1: {kind: router}
  r2: {kind: router}
  r3: {kind: router}
links:
  - [r1, r2]
  - [r2, r3]
  - [r3, r1]
  - [alice, r1]
  - [web, r2]
"""
SEARCH = """\
name: there is a second way
topology: lan.yaml
seed: 4
steps:
  - wait: 2s
invariants:
  - eventually: {within: 3s, ping: {from: alice, to: web, count: 1, timeout: 1s}}
explore:
  faults: {links: [[r1, r2], [r1, r3]], kinds: [down], at_most: 2, lasting: 20s}
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    (tmp_path / "lan.yaml").write_text(LAN)
    (tmp_path / "search.yaml").write_text(SEARCH)
    (tmp_path / "other.yaml").write_text("name: x\ntopology: lan.yaml\nsteps: [wait: 1s]\n")
    yield shell
    shell.close()


def test_a_find_is_shown_and_written_and_fails_by_itself(shell: Shell) -> None:
    # In a directory what cannot be explored is left out; what was found before is, too.
    (shell.folder / "before.found.yaml").write_text(SEARCH.partition("explore")[0])
    code, out, err = shell.run("test", "--explore", "--examples", "30", ".")
    lines = out.splitlines()
    assert (code, err) == (1, "")
    assert lines[0].startswith(
        "FAILED  search.yaml: there is a second way (with 2 faults, seed 4; found with "
    )
    assert sorted(line.split(", from ")[0] for line in lines[1:3]) == [
        "  down  r1 – r2",
        "  down  r1 – r3",
    ]
    assert lines[3].startswith("search.found.yaml:")
    assert ": invariant eventually within 3s: ping alice → web, at " in lines[3]
    assert lines[4] == "  expected: a reply, within 3s"
    assert lines[5].startswith("  seen:     ")
    assert lines[-2] == "  again: netsim test search.found.yaml"
    assert lines[-1].startswith("1 scenario explored: 1 failed, in ")

    found = (shell.folder / "search.found.yaml").read_text()
    assert found.startswith("# Found by `netsim test --explore search.yaml --seed 4`:\n# down  ")
    assert "explore:" not in found
    code, again, err = shell.run("test", "search.found.yaml")
    assert (code, err) == (1, "")
    assert again.splitlines()[1:-2] == lines[3:-2]


def test_where_nothing_is_found_it_holds(shell: Shell) -> None:
    (shell.folder / "search.yaml").write_text(SEARCH.replace("at_most: 2", "at_most: 1"))
    code, out, err = shell.run("test", "--explore", "--examples", "7", "--seed", "1", "search.yaml")
    first, tried, last = out.splitlines()
    assert (code, err) == (0, "")
    assert first.startswith("ok      search.yaml: there is a second way (held under ")
    assert first.endswith(" sets of faults, seed 1)")
    assert tried == "  tried: down; begun within 2s, lasting up to 20s, at most 1 in a run"
    assert last.startswith("1 scenario explored: 1 held, in ")
    assert not (shell.folder / "search.found.yaml").exists()


def test_a_budget_cuts_a_search_short_and_says_so(shell: Shell) -> None:
    (shell.folder / "search.yaml").write_text(SEARCH.replace("at_most: 2", "at_most: 1"))
    words = ("--explore", "--budget", "1ms", "-j", "1", "search.yaml")
    code, out, _ = shell.run("test", *words)
    lines = out.splitlines()
    assert code == 0
    assert "(held under 1 set of faults, seed 4)" in lines[0]
    assert lines[2] == "  note: the budget is over: 1 of up to 100 sets were tried"
    code, out, _ = shell.run("test", "--json", *words)
    (report,) = json.loads(out)
    assert (report["tried"], report["cut_short"]) == (1, True)


@pytest.mark.parametrize("as_json", [False, True])
def test_shrinking_that_ends_before_its_end_is_told(
    shell: Shell,
    as_json: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(shell.folder)
    monkeypatch.setattr("netsim.scenario.explore.MOST_TO_SHRINK", 2)
    scenario = load_scenario("search.yaml")
    code = explore_all(
        [scenario], seed=None, examples=30, jobs=1, write=None, as_json=as_json, budget=None
    )
    out = capsys.readouterr().out
    assert code == 1
    if as_json:
        assert json.loads(out)[0]["cut_short"] is True
    else:
        told = "  note: 2 smaller sets were tried, and no more; fewer or shorter faults may do"
        assert told in out.splitlines()


def test_steps_that_take_no_time_cannot_be_explored_and_that_is_said(shell: Shell) -> None:
    steps = SEARCH.replace("wait: 2s", "ping: {from: alice, to: web, count: 1}")
    (shell.folder / "search.yaml").write_text(steps.replace("at_most: 2", "at_most: 1"))
    note = "  note: the steps take no network time: no fault can come between packets; give "
    note += "links a delay"
    code, out, _ = shell.run("test", "--explore", "--examples", "2", "search.yaml")
    assert code == 0
    assert note in out.splitlines()
    (shell.folder / "lan.yaml").write_text(LAN + "defaults: {link: {delay: 1ms}}\n")
    _, out, _ = shell.run("test", "--explore", "--examples", "2", "search.yaml")
    assert "note: the steps" not in out


def test_what_fails_without_faults_is_not_explored(shell: Shell) -> None:
    (shell.folder / "search.yaml").write_text(SEARCH.replace("wait: 2s", "crash: {node: web}"))
    code, out, _ = shell.run("test", "--explore", "search.yaml")
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == ("FAILED  search.yaml: there is a second way (without any fault, seed 4)")
    assert lines[-2] == "  again: netsim test search.yaml --seed 4"


def test_a_find_elsewhere_and_as_json(shell: Shell) -> None:
    (shell.folder / "finds").mkdir()
    (shell.folder / "search.yaml").write_text(SEARCH.replace("within: 3s", "within: 100ms"))
    code, out, err = shell.run(
        "test", "--explore", "--write", "finds/one.yaml", "--json", "--seed", "2", "search.yaml"
    )
    assert (code, err) == (1, "")
    (report,) = json.loads(out)
    assert {key: report[key] for key in ("file", "name", "seed", "held", "written")} == {
        "file": "search.yaml",
        "name": "there is a second way",
        "seed": 2,
        "held": False,
        "written": "finds/one.yaml",
    }
    assert {fault["kind"] for fault in report["faults"]} == {"down"}
    (run,) = report["runs"]
    assert (run["file"], run["held"]) == ("finds/one.yaml", False)
    assert "topology: ../lan.yaml\n" in (shell.folder / "finds" / "one.yaml").read_text()
    assert shell.run("test", "finds/one.yaml")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--examples 5 search.yaml", "`--examples` goes only with `--explore`"),
        ("--write x search.yaml", "`--write` goes only with `--explore`"),
        ("--explore --seeds 1..3 search.yaml", "`--seeds` goes not with `--explore`"),
        ("--explore --time real search.yaml", "search.yaml:1:1: only virtual time repeats"),
        ("--explore other.yaml", "other.yaml:1:1: it does not say what may break"),
        ("--explore --write x search.yaml other.yaml", "`--write` is for one scenario"),
    ],
)
def test_wrong_usage(shell: Shell, arguments: str, message: str) -> None:
    code, out, err = shell.run("test", *arguments.split())
    assert (code, out) == (2, "")
    assert message in err
