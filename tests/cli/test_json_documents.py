"""docs/json.md against what the commands really print."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from netsim_shell import Shell
from networks import ROOT

PAGE = ROOT / "docs" / "json.md"
SHOP = """\
name: shop
nodes:
  alice: {kind: computer, ports: ["127.0.0.1:0:web:80"]}
  s1: {kind: switch}
  r1: {kind: router}
  web: {kind: computer, services: {80: "chatty:create_app"}}
links:
  - [alice, s1]
  - [s1, r1]
  - [r1, web]
"""
CHATTY = """\
from netsim.services.httpbin import create_app as httpbin

async def boom(request):
    raise ValueError("boom")

def create_app():
    print("the shop is open")
    app = httpbin()
    app.router.add_get("/boom", boom)
    return app
"""
SCENARIO = """\
name: shopping
topology: shop.yaml
steps:
  - http: {from: alice, url: "http://web/boom"}
    continue: true
  - http: {from: alice, url: "http://web/ip"}
  - ping: {from: alice, to: web}
  - hold: {link: [r1, web]}
  - release: {link: [r1, web]}
  - down: {link: [r1, web]}
  - path: {from: alice, to: web, expect: [r1]}
"""
SEARCH = """\
name: looking for trouble
topology: shop.yaml
steps: [wait: 1s]
invariants:
  - ping: {from: alice, to: web, count: 1, timeout: 100ms}
explore: {faults: {links: [[r1, web]], kinds: [down], at_most: 1, lasting: 2s}}
"""
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


@dataclass
class Row:
    """One path of a table. `reference` is the title of the section that describes its value."""

    pattern: re.Pattern[str]
    types: tuple[type, ...]
    reference: str | None
    optional: bool
    seen: bool = False


def read_page() -> dict[str, list[Row]]:
    """The tables by the titles of their sections."""
    sections: dict[str, list[Row]] = {}
    for block in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        title, _, body = block.partition("\n")
        sections[title] = [row for line in body.splitlines() for row in rows_of(line)]
    return sections


def rows_of(line: str) -> Iterator[Row]:
    if not line.startswith("| `"):
        return
    paths, kind, _ = (cell.strip() for cell in line.strip("|").split(" | ", 2))
    link = re.fullmatch(r"\[.*\]\(#(.*)\)", kind)
    types = tuple(each for word in kind.split(" or ") for each in TYPES.get(word, ()))
    assert link or len(types) >= len(kind.split(" or ")), f"no such type: {kind}"
    for path in re.findall(r"`([^`]*)`", paths):
        bare = path.removesuffix("?")
        pattern = re.sub(r"\\\{\w+\\\}", "[^.]+", re.escape(bare))
        yield Row(re.compile(pattern), types, link and link[1], path != bare)


SECTIONS = read_page()
BY_ANCHOR = {title.lower().replace(" ", "-"): title for title in SECTIONS}


def compare(title: str, value: Any, path: str = "") -> list[str]:
    """What of a document is not as its section says."""
    row = next((row for row in SECTIONS[title] if row.pattern.fullmatch(path)), None)
    if row is not None and row.reference is not None:
        row.seen = True
        return compare(BY_ANCHOR[row.reference], value)
    if isinstance(value, dict):
        inner = [(f"{path}.{key}".lstrip("."), each) for key, each in value.items()]
        return [wrong for where, each in inner for wrong in compare(title, each, where)]
    if isinstance(value, list):
        return [wrong for each in value for wrong in compare(title, each, f"{path}[]")]
    if row is None:
        return [f"{title}: {path} is not described"]
    row.seen = True
    if type(value) not in row.types:
        return [f"{title}: {path} is {value!r}"]
    return []


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("json")
    (folder / "shop.yaml").write_text(SHOP)
    (folder / "bad.yaml").write_text("name: bad\n")
    (folder / "doubtful.yaml").write_text(
        "name: x\nnodes: {a: {kind: computer, gateway: 10.0.1.9}, b: {kind: computer}}\n"
        "links: [[a, b]]\n"
    )
    (folder / "shopping.yaml").write_text(SCENARIO)
    (folder / "search.yaml").write_text(SEARCH)
    (folder / "chatty.py").write_text(CHATTY)
    shell = Shell(folder)
    assert shell.run("up", "-d", "shop.yaml")[0] == 0
    assert shell.run("exec", "alice", "ping", "-c", "1", "web")[0] == 0
    yield shell
    shell.close()


COMMANDS = [
    ("netsim ps", "ps --json"),
    ("netsim inspect", "inspect --json"),
    ("netsim inspect NODE", "inspect --json alice"),
    ("netsim inspect NODE", "inspect --json s1"),
    ("netsim pingall", "pingall --routers --json"),
    ("netsim trace", "trace alice http://web/ip --json"),
    ("netsim trace", "trace alice http://web:81/ --json"),
    ("netsim iperf", "iperf alice web --json -t 0.4 -i 0.2 -P 2"),
    ("netsim iperf", "iperf alice web --json -t 0.2 -R -u"),
    ("netsim link", "link --json s1 r1"),
    ("netsim link", "link --json s1 r1 --delay 1ms --bandwidth 1gbit"),
    ("netsim link", "link --json s1 r1 --queue 64KiB --from r1"),
    ("netsim inspect", "inspect --json"),
    ("netsim link without nodes", "link --json"),
    ("netsim partition", "partition --json alice web"),
    ("netsim partition", "repair --json"),
    ("netsim drop", "drop --json alice web"),
    ("netsim drop", "isolate --json alice web"),
    ("netsim drop", "connections --json web:80 refuse"),
    ("netsim partition", "repair --json"),
    ("netsim node", "node --json web restart"),
    ("netsim logs", "logs --json --events"),
    ("netsim top", "top --json --once --interval 0.2"),
    ("netsim validate", "validate --json shop.yaml bad.yaml doubtful.yaml"),
    ("netsim test", "test --json shopping.yaml"),
    ("netsim test --explore", "test --json --explore search.yaml"),
    ("netsim graph", "graph --json shop.yaml"),
    ("netsim graph", "graph --json shop.yaml"),
    ("netsim exec at many nodes", "exec --json alice,web nosuch"),
    ("netsim exec NODE ping", "exec --json alice ping -c 2 -i 0.01 web"),
    ("netsim exec NODE ping", "exec --json alice ping -c 1 -t 1 web"),
    ("netsim exec NODE traceroute", "exec --json alice traceroute web"),
    ("netsim exec NODE traceroute", "exec --json alice traceroute -m 1 -w 0.1 10.0.0.77"),
    ("netsim exec NODE curl", "exec --json alice curl http://web/ip"),
    ("netsim exec NODE curl", "exec --json alice curl http://web:81/"),
    ("netsim exec NODE dig", "exec --json alice dig web"),
    ("netsim exec NODE ss", "exec --json alice ss -a"),
    ("netsim exec NODE ss", "exec --json web ss -a"),
    ("netsim exec NODE mac-table", "exec --json s1 mac-table"),
    ("netsim exec NODE ip addr", "exec --json alice ip addr"),
    ("netsim exec NODE ip addr", "exec --json r1 ip -s link"),
    ("netsim exec NODE ip route", "exec --json r1 ip route"),
    ("netsim exec NODE ip route", "exec --json alice ip route get 127.0.0.1"),
    ("netsim exec NODE ip neigh", "exec --json alice ip neigh"),
]


def test_every_document_is_as_described_and_every_field_occurs(shell: Shell) -> None:
    wrong = []
    for title, command in COMMANDS:
        _, out, err = shell.run(*command.split())
        assert out, f"{command}: {err}"
        wrong += compare(title, json.loads(out))
    with shell.start("capture", "alice", "--json", "-c", "1") as capture:
        assert capture.stderr is not None
        capture.stderr.readline()  # it has begun
        shell.run("exec", "alice", "ping", "-c", "1", "web")
        wrong += compare("netsim capture", json.loads(capture.communicate()[0]))
    with shell.start("up", "--json", "--name", "other", "shop.yaml") as up:
        assert up.stdout is not None
        network = json.loads(up.stdout.readline())
        wrong += compare("netsim inspect", network)
        os.kill(network["nodes"][-1]["pid"], signal.SIGKILL)
        wrong += compare("netsim up", json.loads(up.stdout.readline()))
        out = shell.run("inspect", "--name", "other", "--json")[1]
        wrong += compare("netsim inspect", json.loads(out))
        up.send_signal(signal.SIGINT)
        up.communicate()
    assert wrong == []
    missing = [
        f"{title}: {row.pattern.pattern}"
        for title, rows in SECTIONS.items()
        for row in rows
        if not row.seen and not row.optional
    ]
    assert missing == []


def test_what_is_not_described_is_found() -> None:
    assert compare("netsim ps", [{"name": "x", "age": 1}]) == ["netsim ps: [].age is not described"]
    assert compare("netsim ps", [{"name": 1}]) == ["netsim ps: [].name is 1"]
    assert compare("netsim inspect", {"nodes": [{"kind": 3}]}) == ["netsim inspect NODE: kind is 3"]
