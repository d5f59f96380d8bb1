"""A link attribute is described once, and whoever shows or reads attributes knows it from there."""

from __future__ import annotations

import subprocess
import sys
import tokenize
from pathlib import Path

import netsim
from netsim.core.link_attributes import LINK_ATTRIBUTES

PACKAGE = Path(netsim.__file__).parent
SPELLED_IN = ("core/link_attributes.py", "link/")
"""Where it is described, and where it is done."""

ONE_MORE_FIELD = """
import dataclasses, sys
import netsim.core.link_attributes as table
from netsim.core.units import DURATION, PERCENTAGE

@dataclasses.dataclass(frozen=True, slots=True)
class Thaw:
    "Frames that melt again."

    after_ns: int = table.attribute("after", DURATION, "How late.", example="5ms")
    share: float = table.attribute("share", PERCENTAGE, "How many.", default=1.0)

@dataclasses.dataclass(frozen=True, slots=True)
class LinkAttributes(table.LinkAttributes):
    frost: float = table.attribute("frost", PERCENTAGE, "Frames that freeze.", default=0.0)
    thaw_ns: object = table.attribute("thaw", DURATION, "The time.", default=0, long_form=Thaw)

table.LinkAttributes = LinkAttributes
table.LINK_ATTRIBUTES = table.described(LinkAttributes)
"""

FILE = """\
name: cold
nodes: {a: {kind: computer}, b: {kind: computer}}
links: [{endpoints: [a, b], egress: {a: {frost: 5%, thaw: {after: 3s}}}}]
"""

USES = """
import json
from netsim.cli.outcome import run
from netsim.network.link_conditions import LinkConditions
from netsim.scenario.load_scenario import load_scenario
from netsim.topology.link_changes import changed_attributes
from netsim.topology.load_topology import load_graph, load_plan
from netsim.topology.make_plan import make_plan

plan = load_plan("cold.yaml")
assert plan.node("a").interfaces[0].egress.frost == 0.05
assert plan.node("b").interfaces[0].egress.frost == 0.0
assert plan.node("a").interfaces[0].egress.thaw_ns == Thaw(3_000_000_000)
assert make_plan(load_graph("cold.yaml")).nodes == plan.nodes
condition = LinkConditions(plan).planned(0, "a")
assert table.condition_words(condition)["frost"] == "5%"
assert table.condition_words(condition)["thaw"] == {"after": "3s", "share": "100%"}
assert changed_attributes({"thaw": "7s"}, condition.attributes) == {"thaw_ns": 7_000_000_000}
assert changed_attributes({"frost": "7%"}, condition.attributes) == {"frost": 0.07}
assert load_scenario("cold-run.yaml").steps[0].words.frost == 0.09
for line in (["schema", "topology"], ["schema", "scenario"], ["link", "--help"],
             ["graph", "cold.yaml"], ["graph", "--json", "cold.yaml"]):
    print("====")
    assert run(line) == 0
"""


def test_one_more_field_is_all_that_one_more_attribute_takes(tmp_path: Path) -> None:
    (tmp_path / "cold.yaml").write_text(FILE)
    (tmp_path / "cold-run.yaml").write_text(
        "name: frozen\ntopology: cold.yaml\nsteps: [{set: {link: [a, b], frost: 9%}}]\n"
    )
    program = [sys.executable, "-c", ONE_MORE_FIELD + USES]
    result = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    topology, scenario, help_, picture, facts = result.stdout.split("====\n")[1:]
    assert "Frames that freeze; 0% where it is left out." in topology
    assert "Frames that freeze" in scenario
    assert "--frost PERCENT" in help_
    assert "--thaw TIME" in help_
    assert "ThawWords" in topology
    assert "How late." in scenario
    assert "frost 5%" in picture
    assert '"frost": 0.05' in facts


def test_no_other_module_lists_the_attributes() -> None:
    names = {each.word for each in LINK_ATTRIBUTES} | {each.field for each in LINK_ATTRIBUTES}
    listing = {}
    for file in PACKAGE.rglob("*.py"):
        module = file.relative_to(PACKAGE).as_posix()
        if module.startswith(SPELLED_IN):
            continue
        with file.open("rb") as source:
            words = {token.string.strip("\"'") for token in tokenize.tokenize(source.readline)}
        if len(found := words & names) > 3:
            listing[module] = found
    assert listing == {}
