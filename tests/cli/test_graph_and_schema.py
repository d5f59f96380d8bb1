from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from netsim_shell import HOME, Prompt

from netsim.scenario.scenario_words import scenario_schema
from netsim.topology.editor_schema import topology_schema

TREE = """\
home: 2 nodes, 1 link, 1 subnet

alice    computer               10.0.1.10
└── web  computer  10.0.1.0/24  10.0.1.11
"""


@pytest.fixture
def prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Prompt:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home.yaml").write_text(HOME)
    return Prompt(capsys)


def test_a_tree_on_standard_output(prompt: Prompt) -> None:
    assert prompt.run("graph", "home.yaml") == (0, TREE, "")
    renamed = TREE.replace("home:", "cabin:")
    assert prompt.run("graph", "--name", "cabin", "home.yaml") == (0, renamed, "")


def test_a_tree_has_colours_on_a_terminal(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    Path("home.yaml").write_text(HOME.replace("web: {kind: computer}", "web: {kind: router}"))
    _, out, _ = prompt.run("graph", "home.yaml")
    assert "\x1b[1mhome\x1b[0m: 2 nodes" in out
    assert "\x1b[34m\x1b[1mweb\x1b[0m" in out


@pytest.mark.parametrize(
    ("suffix", "start"), [("svg", "<svg "), ("dot", 'graph "home" {'), ("mmd", "%% home: ")]
)
def test_a_picture_in_a_file(prompt: Prompt, suffix: str, start: str) -> None:
    code, out, err = prompt.run("graph", "home.yaml", "-o", f"home.{suffix}")
    assert (code, out, err) == (0, f"home.{suffix}: 2 nodes, 1 link, 1 subnet\n", "")
    text = Path(f"home.{suffix}").read_text(encoding="utf-8")
    assert text.startswith(start)
    if suffix == "svg":
        ElementTree.fromstring(text)


def test_facts_of_a_topology(prompt: Prompt) -> None:
    code, out, _ = prompt.run("graph", "--json", "home.yaml")
    facts = json.loads(out)
    assert code == 0
    assert [node["name"] for node in facts["nodes"]] == ["alice", "web"]
    assert facts["subnets"] == [{"prefix": "10.0.1.0/24", "nodes": ["alice", "web"]}]


def test_pictures_that_cannot_be(prompt: Prompt) -> None:
    code, _, err = prompt.run("graph", "home.yaml", "-o", "home.gif")
    assert code == 2
    assert "end it in .svg, .png, .pdf, .dot or .mmd" in err
    assert not Path("home.gif").exists()
    code, _, err = prompt.run("graph", "--json", "home.yaml", "-o", "home.svg")
    assert (code, "either -o PICTURE or --json" in err) == (2, True)
    code, _, err = prompt.run("graph", "home.yaml", "-o", "nowhere/home.svg")
    assert (code, err) == (1, "netsim: nowhere/home.svg: No such file or directory\n")
    Path("bad.yaml").write_text("name: bad\n")
    code, _, err = prompt.run("graph", "bad.yaml", "-o", "bad.svg")
    assert code == 2
    assert err.startswith("bad.yaml:1:1: ")
    assert not Path("bad.svg").exists()


def test_the_schema(prompt: Prompt) -> None:
    for what, schema in (("topology", topology_schema()), ("scenario", scenario_schema())):
        code, out, err = prompt.run("schema", what)
        assert (code, err) == (0, "")
        assert json.loads(out) == schema


@pytest.mark.parametrize("arguments", [[], ["scenarios"], ["topologies"]])
def test_there_is_no_other_schema(prompt: Prompt, arguments: list[str]) -> None:
    code, out, err = prompt.run("schema", *arguments)
    assert (code, out) == (2, "")
    assert "topology" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_pictures_of_pixels_and_pages(prompt: Prompt, suffix: str, magic: bytes) -> None:
    try:
        import cairosvg  # noqa: F401
    except (ImportError, OSError):
        pytest.skip("there is no CairoSVG, or no libcairo")
    code, out, err = prompt.run("graph", "home.yaml", "-o", f"home.{suffix}")
    assert (code, err) == (0, "")
    assert out.startswith(f"home.{suffix}: ")
    assert Path(f"home.{suffix}").read_bytes().startswith(magic)


def test_a_picture_whose_package_is_missing_is_told_how_to_have_it(
    prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    code, out, err = prompt.run("graph", "home.yaml", "-o", "home.png")
    assert (code, out) == (1, "")
    assert "`pip install cairosvg` brings it, or write a .svg" in err
    assert not Path("home.png").exists()


def test_generated_files_go_straight_into_other_commands(
    prompt: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = prompt.run("generate", "ring", "4", "--delay", "5ms", "--name", "round")
    assert (code, err) == (0, "")
    assert "# Made by: netsim generate ring 4 --delay=5ms --name=round\n" in out
    assert "  link: {delay: 5ms}\n" in out
    Path("round.yaml").write_text(out)
    assert prompt.run("validate", "round.yaml") == (0, "round.yaml: ok, 8 nodes, 8 links\n", "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ring", "4", "--delay", "5"], "netsim generate: `5` has no unit; write a duration"),
        (["ring", "4", "--name", "A B"], "netsim generate: `A B` cannot name a network"),
        (["ring", "four"], "'four' is not a valid integer"),
        (["star", "4"], "'star' is not one of"),
        (["ring", "1"], "netsim: N of ring is 1; write 3 or more"),
    ],
)
def test_wrong_words_for_generate(prompt: Prompt, words: list[str], text: str) -> None:
    code, out, err = prompt.run("generate", *words)
    assert (code, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1
