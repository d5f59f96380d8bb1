"""`bandwidth: {file: …}`: where the file is looked for, and what is refused in it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from netsim.core.bandwidth_trace import BandwidthTrace
from netsim.core.errors import InvalidFileError, InvalidGraphError, InvalidValueError
from netsim.core.link_attributes import LinkAttributes
from netsim.drawing.plan_facts import facts_of
from netsim.scenario.load_scenario import load_scenario
from netsim.topology.link_changes import changed_attributes
from netsim.topology.load_topology import load_graph, load_plan
from netsim.topology.make_plan import make_plan

FILE = """\
name: cellular
nodes: {phone: {kind: computer}, web: {kind: computer}}
links:
  - {endpoints: [phone, web], bandwidth: {file: traces/up.mahi}, overhead: 38B}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net" / "traces").mkdir(parents=True)
    (tmp_path / "net" / "cell.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "net"


EXAMPLE = "write whole ms from the beginning, for example `17`"


def bad(folder: Path, text: str) -> list[str]:
    (folder / "traces" / "up.mahi").write_text(text)
    with pytest.raises(InvalidFileError) as caught:
        load_plan("net/cell.yaml")
    return str(caught.value).splitlines()


def test_a_trace_is_beside_the_file_that_names_it(folder: Path) -> None:
    trace = folder / "traces" / "up.mahi"
    trace.write_text("0\n4\n4\n 9 \r\n20")
    plan = load_plan("net/cell.yaml")
    for node in plan.nodes:
        attributes = node.interfaces[0].egress
        assert attributes.bandwidth_bps == BandwidthTrace(str(trace), (0, 4, 4, 9, 20))
        assert attributes.overhead == 38
    assert make_plan(load_graph("net/cell.yaml")).nodes == plan.nodes
    assert facts_of(plan)["links"][0]["a_to_b"]["bandwidth_bps"] == {"file": str(trace)}


def test_a_trace_may_come_out_of_a_pipe(folder: Path) -> None:
    trace = folder / "traces" / "up.mahi"
    os.mkfifo(trace)
    writer = threading.Thread(target=trace.write_text, args=("1\n2\n",))
    writer.start()
    attributes = load_plan("net/cell.yaml").nodes[0].interfaces[0].egress
    writer.join()
    assert attributes.bandwidth_bps == BandwidthTrace(str(trace), (1, 2))


def test_every_bad_line_is_told_with_its_place(folder: Path) -> None:
    assert bad(folder, "1\n\n 2.5\n7\n6\n-1\n8ms\n\u0663\n9\n" + "9" * 13) == [
        "net/traces/up.mahi:2:1: an empty line; remove it",
        "net/traces/up.mahi:3:2: `2.5` is no time; " + EXAMPLE,
        "net/traces/up.mahi:5:1: `6` is before `7`; times never fall",
        "net/traces/up.mahi:6:1: `-1` is no time; " + EXAMPLE,
        "net/traces/up.mahi:7:1: `8ms` is no time; " + EXAMPLE,
        "net/traces/up.mahi:8:1: `\u0663` is no time; " + EXAMPLE,
        "net/traces/up.mahi:10:1: `9999999999999` is no time; " + EXAMPLE,
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "net/traces/up.mahi:1:1: the file is empty; "),
        ("0\n0\n", "net/traces/up.mahi:2:1: a trace takes time; write a last line above `0`"),
    ],
)
def test_a_trace_of_no_time(folder: Path, text: str, problem: str) -> None:
    (line,) = bad(folder, text)
    assert line.startswith(problem)


def test_many_mistakes_are_counted(folder: Path) -> None:
    lines = bad(folder, "x\n" * 250)
    assert len(lines) == 101
    assert lines[-1] == "and 150 more"


def test_what_is_no_text_or_too_long(folder: Path) -> None:
    trace = folder / "traces" / "up.mahi"
    trace.write_bytes(b"1\n\xff\n")
    with pytest.raises(InvalidFileError, match=r"up.mahi:2:1: this is not UTF-8 text"):
        load_plan("net/cell.yaml")
    trace.write_bytes(b"1\n" * (8 << 20) + b"2")
    with pytest.raises(InvalidFileError, match=r"up.mahi:1:1: the file is larger than 16 MiB$"):
        load_plan("net/cell.yaml")


def test_a_missing_file_is_told_where_it_is_named(folder: Path) -> None:
    with pytest.raises(InvalidFileError) as caught:
        load_plan("net/cell.yaml")
    what = f"there is no file {folder}/traces/up.mahi; write a path relative to this file"
    assert str(caught.value) == f"net/cell.yaml:4:49: {what}"
    graph = load_graph_without_file(folder)
    with pytest.raises(InvalidGraphError, match=r"link phone–web `bandwidth` `file`: there is no"):
        make_plan(graph)


def load_graph_without_file(folder: Path) -> Any:
    trace = folder / "traces" / "up.mahi"
    trace.write_text("1")
    graph = load_graph("net/cell.yaml")
    trace.unlink()
    return graph


def test_a_running_link_may_get_one(folder: Path) -> None:
    written = {"bandwidth": {"file": "traces/up.mahi"}}
    with pytest.raises(InvalidValueError, match=r"^there is no file .*up.mahi; write"):
        changed_attributes(written, LinkAttributes(), folder)
    trace = folder / "traces" / "up.mahi"
    trace.write_text("one\n2\n1")
    with pytest.raises(InvalidValueError, match=r"up.mahi:1:1: .*; net/traces/up.mahi:3:1: `1` is"):
        changed_attributes(written, LinkAttributes(), folder)
    trace.write_text("1\n2")
    assert changed_attributes(written, LinkAttributes(), folder) == {
        "bandwidth_bps": BandwidthTrace(str(trace), (1, 2))
    }


def test_a_scenario_names_traces_beside_its_topology(folder: Path) -> None:
    (folder / "traces" / "up.mahi").write_text("1\n2")
    scenario = folder.parent / "tunnel.yaml"
    step = "{set: {link: [phone, web], bandwidth: {file: traces/down.mahi}}}"
    scenario.write_text(f"name: tunnel\ntopology: net/cell.yaml\nsteps: [{step}]\n")
    with pytest.raises(InvalidFileError, match=r"^tunnel.yaml:3:54: there is no file .*down.mahi"):
        load_scenario("tunnel.yaml")
    (folder / "traces" / "down.mahi").write_text("2\n1")
    with pytest.raises(InvalidFileError, match=r"^net/traces/down.mahi:2:1: `1` is before `2`"):
        load_scenario("tunnel.yaml")
    (folder / "traces" / "down.mahi").write_text("2\n")
    assert load_scenario("tunnel.yaml").steps[0].verb == "set"
