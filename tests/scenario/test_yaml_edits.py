"""Changes to YAML text that leave the rest of it alone."""

from __future__ import annotations

import pytest
import yaml

from netsim.scenario.yaml_edits import YamlEdits, flow, plain

TEXT = """\
# head
name: old   # why
limits:
  # much
  time: 1min   # enough

# the topology
topology: net.yaml   # three
steps:
  - wait: 1s
# goes
# too
explore:
  faults: {nodes: [a]}   # here
# stays
"""


def test_entries_are_changed_added_and_removed_and_comments_stay() -> None:
    edits = YamlEdits(TEXT)
    edits.put("name", "a: b", after="topology")
    edits.put("limits", {"time": "2min", "wall": 3}, after="topology")
    edits.put("seed", 7, after="topology")
    edits.put_list("faults", [{"at": "0s", "link": ["r1:eth0", "no"]}, {}], after="topology")
    edits.remove("explore")
    edits.remove("never")
    assert (
        edits.result()
        == """\
# head
name: "a: b"   # why
limits: {time: 2min, wall: 3}   # enough

# the topology
topology: net.yaml   # three
seed: 7
faults:
  - {at: 0s, link: [r1:eth0, "no"]}
  - {}
steps:
  - wait: 1s
# stays
"""
    )


@pytest.mark.parametrize(
    "text",
    [
        "{name: x, topology: net.yaml, explore: {a: 1}, steps: [wait: 1s]}",
        "{name: x, topology: net.yaml, steps: [wait: 1s], explore: {a: 1}}\n",
        "name: >\n  x\n  y\nexplore: {a: 1}\ntopology: net.yaml\nsteps: [wait: 1s]",
        "explore:\n  a: 1\nname: x\nsteps:\n- wait: 1s\ntopology: net.yaml",
        'name: "x"\nsteps:\n- wait: 1s\ntopology: |\n  net.yaml\n\nexplore:\n  a:\n    b: 1\n\n',
    ],
)
def test_forms_of_files(text: str) -> None:
    edits = YamlEdits(text)
    edits.put("name", "new", after="topology")
    edits.put("seed", 1, after="topology")
    edits.put_list("faults", [{"at": "1s"}, {"at": "2s"}], after="topology")
    edits.remove("explore")
    data = yaml.safe_load(edits.result())
    data["topology"] = data["topology"].strip()
    assert data == {
        "name": "new",
        "topology": "net.yaml",
        "steps": [{"wait": "1s"}],
        "seed": 1,
        "faults": [{"at": "1s"}, {"at": "2s"}],
    }


def test_scalars_are_changed_wherever_they_are() -> None:
    capture = "capture: {at: r1, to: x.pcapng}"
    text = f"steps:\n- {capture}\n- parallel: [{{{capture}}}]\n- run: {{args: {{{capture}}}}}\n"
    edits = YamlEdits(text)
    edits.change_scalars("capture", "to", lambda path: f"../{path}")
    assert edits.result().count("to: ../x.pcapng") == 2
    assert edits.result().endswith("args: {capture: {at: r1, to: x.pcapng}}}\n")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("r1:eth0", "r1:eth0"),
        ("../../net.yaml", "../../net.yaml"),
        ("10ms", "10ms"),
        ("10", '"10"'),
        ("0x1f", '"0x1f"'),
        ("1e3", '"1e3"'),
        ("true", '"true"'),
        ("", '""'),
        ("a b", '"a b"'),
        ("a: b", '"a: b"'),
        ("# no", '"# no"'),
        ("trailing:", '"trailing:"'),
        ("größer", "größer"),
    ],
)
def test_text_is_in_quotes_where_it_needs_them(text: str, written: str) -> None:
    assert plain(text) == written
    assert yaml.safe_load(f"{{x: [{written}]}}") == {"x": [text]}
    assert yaml.safe_load(flow({"x": [text, 1, None, True]})) == {"x": [text, 1, None, True]}
