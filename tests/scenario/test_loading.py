"""Every word of a scenario file, read and in the JSON Schema."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from played_network import LAN

from netsim import InvalidFileError
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.scenario_model import ExploreBudget, Scenario
from netsim.scenario.scenario_words import scenario_schema
from netsim.scenario.step_words import VERBS
from netsim.topology.yaml_source import read_yaml

SCHEMA = scenario_schema()
VALIDATOR = Draft7Validator(SCHEMA)

EVERYTHING = """\
name: all words
topology: lan.yaml
time: virtual
seed: 1
limits: {time: 10min, wall: 60s}
expected_errors: [no such thing]
steps:
  - http:
      from: alice
      url: "http://web/ip"
      method: PUT
      headers: {Accept: text/html, X-Number: 5}
      body: hello
      timeout: 3s
      expect:
        {status: 200, within: 50ms, time: 5ms ± 10%, body: "10.", headers: {Content-Type: text}}
  - http: {from: alice, url: "http://nobody/", expect: {error: "", status: ">= 400"}}
  - ping:
      {from: alice, to: 10.0.3.10, count: 5, interval: 0.2s, timeout: 1s, size: 1KiB,
       expect: {loss: 0%, rtt: 5.6ms ± 0.3ms}}
  - path: {from: alice, to: web, expect: [r1, r2]}
  - dns: {from: alice, name: web.lan.test, expect: {a: 10.0.3.10}}
  - dns: {from: alice, name: other.test, expect: {a: none}}
  - transfer: {from: web, to: alice, size: 20MiB, timeout: 5min, expect: {goodput: ">= 80mbit"}}
  - down: {link: [alice, r1]}
  - eventually: {within: 10s, every: 1s, ping: {from: alice, to: web}}
  - up: {link: [alice, r1]}
  - partition: {between: [[alice], [web]]}
  - drop: {from: alice, to: web, both_ways: true, protocol: tcp, port: 80}
  - isolate: {between: [[alice], [web]]}
  - reset_connections: {to: web, port: 80, from: alice, after: 64KiB}
  - cut_connections: {to: web, port: 80, after: 0B}
  - stall_connections: {to: web, port: 80}
  - slow_close: {to: web, port: 80, delay: 5s}
  - refuse_connections: {to: web, port: 80, first: 3}
  - kill_program: {node: web}
  - pause: {node: web}
  - resume: {node: web}
  - repair
  - hold: {link: [r1:eth1, r2]}
  - release: {link: [r1:eth1, r2]}
  - flap: {link: [r2, web], period: 2s, times: 5}
  - crash: {node: r2}
  - start: {node: r2}
  - stop: {node: r2}
  - restart: {node: r2}
  - set: {link: [r2, web], loss: {gilbert_elliott: {p: 1%, r: 20%}}, delay: 80ms, from: web}
  - reset: {link: [r2, web]}
  - wait: 30s
  - parallel: [wait: 1s, repair: {}]
  - repeat: {times: 2, steps: [{wait: 1s}]}
  - always: {every: 1s, steps: [ping: {from: alice, to: web, count: 1}], while: {wait: 10s}}
  - capture: {at: "r1:eth0", to: out.pcapng}
  - record: {at: ["r1:eth0", alice], to: out.csv, every: 5ms}
  - record: {at: alice, to: alice.csv}
  - run: {host: alice, call: "asyncio:sleep", args: {delay: 1}, expect: {returns: 3, within: 2s}}
    continue: true
invariants:
  - http: {from: alice, url: "http://web/ip", expect: {status: 200}}
order: pct:2
sometimes:
  - log: {node: web, text: trying again}
  - ping: {from: alice, to: web}
explore:
  faults: {links: [[alice, r1]], nodes: [r2], kinds: [down, crash], at_most: 2, lasting: 20s}
"""

BAD = {
    "no name": ("name: all words\n", ""),
    "topology": ("topology: lan.yaml", "topology: [lan.yaml]"),
    "time": ("time: virtual", "time: fake"),
    "limits": ("time: 10min", "time: 10"),
    "unknown key": ("limits:", "limit:"),
    "order": ("order: pct:2", "order: pct:0"),
    "sometimes": ("text: trying again", "txt: trying again"),
    "no verb": ("- repair\n", "- {continue: true}\n"),
    "two verbs": ("- wait: 30s\n", "- wait: 30s\n    repair: {}\n"),
    "unknown verb": ("- wait: 30s", "- sleep: 30s"),
    "url": ("http://web/ip", "web/ip"),
    "method": ("method: PUT", "method: PUT /"),
    "status": ("status: 200", "status: OK"),
    "comparison": ('">= 400"', '"=> 400"'),
    "tolerance": ("5.6ms ± 0.3ms", "5.6ms ± 0.3"),
    "rate": (">= 80mbit", ">= 80"),
    "loss": ("loss: 0%", "loss: 0"),
    "address": ("a: 10.0.3.10}", "a: [10.0.3.10]}"),
    "ends": ("link: [r2, web], period", "link: [r2], period"),
    "port": ("{to: web, port: 80}", "{to: web, port: 0}"),
    "bytes": ("after: 64KiB", "after: 64"),
    "protocol": ("protocol: tcp", "protocol: sctp"),
    "groups": ("[[alice], [web]]", "[alice, web]"),
    "period": ("period: 2s", "period: 2"),
    "times": ("times: 5", "times: 0"),
    "size": ("size: 20MiB", "size: 20"),
    "run": ("asyncio:sleep", "asyncio.sleep"),
    "a fault that is no check": ("ping: {from: alice, to: web, count: 1}", "repair: {}"),
    "kinds": ("kinds: [down, crash]", "kinds: [down, burn]"),
}


def write(folder: Path, text: str) -> Path:
    (folder / "lan.yaml").write_text(LAN)
    file = folder / "all.yaml"
    file.write_text(text)
    return file


def load(folder: Path, text: str = EVERYTHING) -> Scenario:
    return load_scenario(write(folder, text))


def mistakes(file: Path) -> list[Any]:
    """What a validator finds, where every key is text."""
    return list(VALIDATOR.iter_errors(json.loads(json.dumps(read_yaml(file).data))))


def test_every_word_in_every_form(tmp_path: Path) -> None:
    scenario = load(tmp_path)
    assert {step.verb for step in scenario.steps} == set(VERBS)
    assert scenario.name == "all words"
    assert (scenario.time, scenario.seed, scenario.order) == ("virtual", 1, "pct:2")
    assert [step.text for step in scenario.sometimes] == [
        "log `trying again` at web",
        "ping alice → web",
    ]
    assert (scenario.time_limit_ns, scenario.wall_limit_ns) == (600 * 10**9, 60 * 10**9)
    assert scenario.expected_errors == ("no such thing",)
    assert [step.goes_on for step in scenario.steps[-2:]] == [False, True]
    assert [step.text for step in scenario.invariants] == ["http alice → http://web/ip"]
    assert scenario.explore == ExploreBudget(
        links=(("alice", "r1"),),
        nodes=("r2",),
        kinds=("down", "crash"),
        at_most=2,
        lasting_ns=20 * 10**9,
    )


def test_places_and_lines(tmp_path: Path) -> None:
    steps = load(tmp_path).steps
    shown = [(step.line, step.column, step.text) for step in steps]
    assert shown[0] == (8, 5, "http alice → http://web/ip")
    assert shown[3] == (21, 5, "path alice → web")
    assert (27, 5, "up alice – r1") in shown
    assert (47, 5, "set delay, loss of r2 – web from web") in shown
    repeat = next(step for step in steps if step.verb == "repeat")
    assert [(step.line, step.column, step.text) for step in repeat.steps] == [(51, 33, "wait 1s")]
    always = next(step for step in steps if step.verb == "always")
    assert [(step.line, step.column) for step in always.checks] == [(52, 33)]
    assert [(step.line, step.column) for step in always.steps] == [(52, 82)]
    changed = next(step for step in steps if step.verb == "set")
    assert changed.written["loss"] == {"gilbert_elliott": {"p": "1%", "r": "20%"}}


def test_what_is_left_out(tmp_path: Path) -> None:
    scenario = load(
        tmp_path,
        "name: x\ntopology: lan.yaml\nsteps: [repair: ]\n"
        "explore: {faults: {links: [[alice, r1]]}}\n",
    )
    assert (scenario.time, scenario.seed) == ("virtual", None)
    assert scenario.time_limit_ns is None
    assert scenario.explore is not None
    assert scenario.explore.kinds == ("down", "hold")
    assert scenario.explore.lasting_ns == 30 * 10**9
    assert load_scenario(tmp_path / "all.yaml", time="real").time == "real"


def test_a_scenario_can_be_sent_to_another_process(tmp_path: Path) -> None:
    scenario = load(tmp_path)
    assert pickle.loads(pickle.dumps(scenario)) == scenario  # noqa: S301


def test_modules_are_found_beside_the_file_and_where_python_has_them(tmp_path: Path) -> None:
    package = tmp_path / "mychecks"
    package.mkdir()
    (package / "shop.py").write_text("raise RuntimeError('this is not to be imported')\n")
    for found in ("mychecks.shop:x", "asyncio.events:x", "sys:x", "json:x"):
        load(tmp_path, EVERYTHING.replace("asyncio:sleep", found))
    for missing in ("mychecks.shops:x", "mychecks.shop.more:x", "asyncio.nothing:x"):
        with pytest.raises(InvalidFileError, match=f"no module `{missing[:-2]}`"):
            load(tmp_path, EVERYTHING.replace("asyncio:sleep", missing))


PROGRAMS = """\
name: s
own_packages: [no_such_package]
nodes:
  a:
    kind: computer
    services: {80: "shop:app", 81: "shops:app"}
    run: ["shop:f", {call: "jobs.daily:g", args: {n: 1}}]
    ready: "shop:ready"
  b: {kind: computer, ready: "nowhere:ready"}
links: [[a, b]]
"""


@pytest.mark.parametrize("place", ["beside the topology", "beside the scenario"])
def test_modules_that_a_topology_names_and_are_not_there(tmp_path: Path, place: str) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "two.yaml").write_text(PROGRAMS)
    beside = tmp_path / "nets" if place == "beside the topology" else tmp_path
    (beside / "shop.py").write_text("raise RuntimeError('this is not to be imported')\n")
    scenario = tmp_path / "one.yaml"
    scenario.write_text("name: one\ntopology: nets/two.yaml\nsteps: [{wait: 1s}]\n")
    with pytest.raises(InvalidFileError) as raised:
        load_scenario(scenario)
    told = [(each.line, each.column, each.message) for each in raised.value.problems]
    assert [place for *place, _ in told] == [[2, 16], [6, 36], [7, 21], [9, 30]]
    assert [each.split("`")[1] for *_, each in told[1:]] == ["shops", "jobs", "nowhere"]
    assert {Path(each.file).name for each in raised.value.problems} == {"two.yaml"}


# The JSON Schema


def test_the_schema_is_one(tmp_path: Path) -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert mistakes(write(tmp_path, EVERYTHING)) == []


def test_the_schema_knows_every_verb() -> None:
    assert set(SCHEMA["definitions"]["StepWords"]["anyOf"][1]["properties"]) == {*VERBS, "continue"}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_refused_by_the_schema_and_by_netsim(tmp_path: Path, name: str) -> None:
    good, bad = BAD[name]
    assert good in EVERYTHING
    file = write(tmp_path, EVERYTHING.replace(good, bad, 1))
    assert mistakes(file) != []
    with pytest.raises(InvalidFileError):
        load_scenario(file)


def test_every_key_is_described() -> None:
    for name, model in {"file": SCHEMA, **SCHEMA["definitions"]}.items():
        for form in (model, *model.get("anyOf", [])):
            for key, word in form.get("properties", {}).items():
                assert word.get("description"), f"{name}.{key}"
