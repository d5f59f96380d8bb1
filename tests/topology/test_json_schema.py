"""The JSON Schema against files that hold and files that do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from netsim.core.errors import InvalidFileError
from netsim.topology.editor_schema import topology_schema
from netsim.topology.load_topology import load_topology
from netsim.topology.yaml_source import read_yaml

TOPOLOGIES = sorted((Path(__file__).parents[2] / "topologies").glob("*.yaml"))
SCHEMA = topology_schema()
VALIDATOR = Draft7Validator(SCHEMA)

EVERYTHING = """\
name: all
seed: 7
domain: all.example.test
addressing: {pool: 172.16.0.0/12, prefix: 25}
routing: static
convergence: 1.5 S
host_jitter: 20us
own_packages: [celery]
order: pct:2
defaults:
  kind: computer
  env: {LANG: C.UTF-8}
  link: {bandwidth: 1Gbit, delay: 200us, mtu: 9000}
kinds:
  computer:
    services: {8080: shop.web:create_app}
    congestion: reno
    ecn: false
    order: random
    restart: on-failure
    outside: allow
  switch: {}
  router:
nodes:
  alice:
    ports: ["127.0.0.1:8080:web:80", "0:web:80", "localhost:8081:10.0.3.10:80", "[::1]:1:web:2"]
    gateway: r1
    env: {NUMBER: 5}
  lab: {count: 20}
  web:
    address: 10.0.3.10/24
    services:
      81: {app: "shop.web:create_app", args: {debug: true}}
      82: {files: .}
      83: {asgi: "shop.api:app", tls: true}
      85: {upstream: "db.internal:5432"}
      86: {upstream: "unix:/run/redis.sock"}
      87: {upstream: "[::1]:5432"}
      84: {wsgi: "site.wsgi:application"}
    run: mycode.clients:poll_forever
    routes: [{to: default, via: 10.0.3.1}]
  two:
    address: {eth0: 10.0.4.11/24}
    run: {call: "mycode.clients:poll", args: {times: 3}}
    ready: 8000
  7: {kind: router}
  beside: {attach: "tap:tap0"}
  r1: {kind: router, routes: [{to: 10.9.0.0/16, via: 172.16.1.129}]}
  s1: {kind: switch}
links:
  - [alice, s1]
  - [lab, s1]
  - endpoints: ["s1", "r1:eth3"]
    delay: 2ms
    jitter: 0.5ms
    loss: {gilbert_elliott: {p: 1%, r: 20%, loss_bad: 100%, loss_good: 0.01%}}
    duplicate: 1%
    reorder: 25%
    corrupt: 0.001%
    bandwidth: 100mbit
    queue: {pie: {target: 20ms, limit: 256KiB, ecn: true}}
    overhead: 24B
    egress: {r1: {loss: {random: 2%}, queue: {drop_tail: 100}, jitter: {spread: 2ms}}}
  - endpoints: [web, r1]
    loss: 0.1%
    bandwidth: {file: cellular.mahi}
    queue: {codel: {target: 5ms, interval: 100ms, ecn: true, limit: 10}}
    egress:
      r1: {queue: {fq_codel: {flows: 64, quantum: 1514B, limit: 1MiB}}}
      web:
        jitter: {spread: 1ms, distribution: pareto, reorder: true}
        queue: {red: {min: 5, max: 15, probability: 10%, weight: 0.2%}}
  - [two, r1:eth0]
  - [7, r1]
  - [beside, s1]
"""

BAD = {
    "no name": ("name: all\n", ""),
    "name": ("name: all", "name: All of it"),
    "unknown key": ("seed: 7", "sed: 7"),
    "seed in words": ("seed: 7", "seed: seven"),
    "host bits are left to validate, lengths are not": ("172.16.0.0/12", "172.16.0.0/33"),
    "pool": ("172.16.0.0/12", "172.16.0.256/12"),
    "prefix": ("prefix: 25", "prefix: 31"),
    "routing": ("routing: static", "routing: ospf"),
    "duration without unit": ("delay: 2ms", "delay: 2"),
    "duration in a unit of something else": ("delay: 2ms", "delay: 2mbit"),
    "rate": ("bandwidth: 100mbit", "bandwidth: 100 MB"),
    "percentage": ("duplicate: 1%", "duplicate: 101%"),
    "loss": ("loss: 0.1%", "loss: 0.001"),
    "two models of loss": ("loss: {random: 2%}", "loss: {random: 2%, gilbert_elliott: {p: 1%}}"),
    "queue": ("{drop_tail: 100}", "0"),
    "jitter of no spread": ("jitter: {spread: 2ms}", "jitter: {reorder: true}"),
    "overhead": ("overhead: 24B", "overhead: 24"),
    "trace": ("{file: cellular.mahi}", "{file: 7}"),
    "trace without a file": ("{file: cellular.mahi}", "{}"),
    "distribution of jitter": ("distribution: pareto", "distribution: poisson"),
    "mtu": ("mtu: 9000", "mtu: 67"),
    "kind": ("kind: switch", "kind: swich"),
    "node key": ("gateway: r1", "gatway: r1"),
    "node name": ("  lab: ", "  lab.1: "),
    "count": ("count: 20", "count: 0"),
    "services at a router": ("r1: {kind: router", "r1: {kind: router, services: {80: a:b}"),
    "address of a switch": ("kind: switch", "kind: switch, address: 10.0.1.1/24"),
    "address without prefix": ("address: 10.0.3.10/24", "address: 10.0.3.10"),
    "service port": ("81: {", "81000: {"),
    "service": ("82: {files: .}", "82: {}"),
    "service with two programs": ("82: {files: .}", "82: {files: ., app: a:b}"),
    "program": ("run: mycode.clients:poll_forever", "run: mycode.clients"),
    "port": ("0:web:80", "web:80"),
    "port for the world": ("127.0.0.1:8080:web:80", "0.0.0.0:8080:web:80"),
    "environment": ("NUMBER: 5", "NUM-BER: 5"),
    "three ends": ("[alice, s1]", "[alice, s1, r1]"),
    "one end": ("endpoints: [web, r1]", "endpoints: [web]"),
    "interface": ("r1:eth3", "r1:3"),
    "link that is text": ("- [alice, s1]", "- alice-s1"),
    "ecn": ("ecn: false", "ecn: off"),
    "order": ("order: random", "order: exhaustive"),
    "not there yet": ("congestion: reno", "congestion: bbr"),
    "mtu of one direction": ("egress: {r1: {", "egress: {r1: {mtu: 1500, "),
}


def as_json(file: Path) -> Any:
    """The file as an editor hands it to a validator: every key is text."""
    return json.loads(json.dumps(read_yaml(file).data))


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("file", TOPOLOGIES, ids=lambda file: file.stem)
def test_our_topologies_hold(file: Path) -> None:
    assert list(VALIDATOR.iter_errors(as_json(file))) == []


def test_every_word_holds_in_every_form(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(EVERYTHING)
    assert list(VALIDATOR.iter_errors(as_json(file))) == []
    known = words_of(SCHEMA["properties"], set(SCHEMA["properties"]))
    assert {word for word in known if f"{word}:" not in EVERYTHING} == set()


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_refused_by_the_schema_and_by_netsim(tmp_path: Path, name: str) -> None:
    good, bad = BAD[name]
    assert good in EVERYTHING
    file = tmp_path / "bad.yaml"
    file.write_text(EVERYTHING.replace(good, bad, 1))
    assert list(VALIDATOR.iter_errors(as_json(file))) != []
    with pytest.raises(InvalidFileError):
        load_topology(file)


def test_what_the_schema_is_tried_with_is_a_network(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(EVERYTHING)
    (tmp_path / "cellular.mahi").write_text("1\n")
    assert load_topology(file).name == "all"


def test_every_key_is_described() -> None:
    models = [SCHEMA, *SCHEMA["definitions"].values()]
    objects = [each for model in models for each in (model, *model.get("anyOf", []))]
    keys = 0
    for model in objects:
        for key, form in model.get("properties", {}).items():
            assert form.get("description"), key
            keys += 1
    assert keys > 40


def words_of(properties: dict[str, Any], found: set[str]) -> set[str]:
    """The keys of the schema's objects, those that are defined apart included."""
    for definition in SCHEMA["definitions"].values():
        for form in (definition, *definition.get("anyOf", [])):
            found |= set(form.get("properties", {}))
    return found | set(properties)
