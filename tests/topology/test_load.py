from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsim.core.errors import InvalidFileError, InvalidNameError
from netsim.core.link_attributes import GilbertElliott, LinkAttributes
from netsim.core.queue_settings import QueueLimit
from netsim.topology.load_topology import load_plan
from netsim.topology.plan import NetworkPlan, ProgramPlan, PublishedPortPlan, ServicePlan

CAMPUS = Path(__file__).parents[2] / "topologies" / "campus.yaml"


def plan_of(text: str, folder: Path) -> NetworkPlan:
    file = folder / "topology.yaml"
    file.write_text(text)
    return load_plan(file)


EVERY_WORD = """\
name: words
seed: 7
domain: words.example
routing: static
convergence: 20ms
host_jitter: 20us
own_packages: [celery, loguru]
order: pct
addressing: {pool: 172.16.0.0/12, prefix: 25}
defaults:
  kind: computer
  env: {LANG: C, LEVEL: 1, MODE: low}
  link: {bandwidth: 1gbit, delay: 200us, queue: 50}
kinds:
  computer:
    env: {LEVEL: 2, MODE: mid}
    services: {22: other:app, 80: common:app}
nodes:
  a:
    env: {MODE: high}
    services:
      80: shop.web:create_app
      81: {app: shop.web:create_app, args: {debug: true}}
      82: {files: .}
    run: {call: mycode.clients:poll, args: {every: 3}}
    ports: ["127.0.0.1:8080:b-1:80", "8081:b-2.words.example:81", "[::1]:0:172.16.0.9:82"]
    congestion: reno
    ecn: true
    order: random
    restart: on-failure
    outside: allow
  b: {count: 2, run: mycode.clients:main}
  s: {kind: switch}
  r: {kind: router, gateway: q, routes: [{to: 10.9.0.0/16, via: q}]}
  q: {kind: router, address: {wan0: 172.31.0.1/30}}
links:
  - ["a:uplink", "s:eth1"]
  - [b, s]
  - [s, r]
  - endpoints: [r, "q:wan0"]
    delay: 2ms
    jitter: 0.5ms
    loss: {gilbert_elliott: {p: 1%, r: 20%, loss_good: 0.5%}}
    duplicate: 1%
    reorder: 2%
    corrupt: 3%
    bandwidth: 100mbit
    queue: 256KiB
    mtu: 1400
    egress: {q: {loss: 2%, delay: 3ms}}
  - [r, q]
"""


def test_of_standard_input_modules_are_where_the_command_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "name: x\nnodes: {a: {kind: computer}}\n"
    monkeypatch.setattr("netsim.topology.file_text._read_stream", lambda path: text.encode())
    assert load_plan("-").file == str(tmp_path / "-")


def test_every_word_arrives_in_the_plan(tmp_path: Path) -> None:
    plan = plan_of(EVERY_WORD, tmp_path)
    assert (plan.name, plan.domain, plan.seed) == ("words", "words.example", 7)
    assert (plan.routing, plan.convergence_ns) == ("static", 20_000_000)
    assert plan.host_jitter_ns == 20_000
    assert plan.own_packages == ("celery", "loguru")
    assert (plan.node("a").order, plan.node("b-1").order) == ("random", "pct:3")
    assert plan.node("r").order == "fifo"
    assert plan.file == str(tmp_path / "topology.yaml")
    assert [node.name for node in plan.nodes] == ["a", "b-1", "b-2", "s", "r", "q"]

    a = plan.node("a")
    assert a.env == {"LANG": "C", "LEVEL": "2", "MODE": "high"}
    assert a.services == (
        ServicePlan(22, "other:app"),
        ServicePlan(80, "shop.web:create_app"),
        ServicePlan(81, "shop.web:create_app", {"debug": True}),
        ServicePlan(82, files=str(tmp_path.resolve())),
    )
    assert a.run == (ProgramPlan("mycode.clients:poll", {"every": 3}),)
    assert a.restart == "on-failure"
    assert plan.node("b-1").restart == "never"
    assert (a.outside, plan.node("b-1").outside) == (True, False)
    assert a.ports == (
        PublishedPortPlan("127.0.0.1", 8080, "b-1", 80),
        PublishedPortPlan("127.0.0.1", 8081, "b-2.words.example", 81),
        PublishedPortPlan("::1", 0, "172.16.0.9", 82),
    )
    assert plan.node("b-2").run == (ProgramPlan("mycode.clients:main"),)
    assert plan.node("s").env == {}
    assert plan.node("r").services == ()

    uplink = a.interfaces[0]
    assert (uplink.name, uplink.peer, uplink.peer_interface) == ("uplink", "s", "eth1")
    assert uplink.egress == LinkAttributes(
        delay_ns=200_000, bandwidth_bps=10**9, queue=QueueLimit(packets=50)
    )
    assert [each.name for each in plan.node("s").interfaces] == ["eth1", "eth0", "eth2", "eth3"]
    out, back = plan.node("r").interfaces[1].egress, plan.node("q").interfaces[0].egress
    assert out == LinkAttributes(
        delay_ns=2_000_000,
        jitter_ns=500_000,
        loss=GilbertElliott(p=0.01, r=0.2, loss_good=0.005),
        duplicate=0.01,
        reorder=0.02,
        corrupt=0.03,
        bandwidth_bps=10**8,
        queue=QueueLimit(bytes=256 * 1024),
        mtu=1400,
    )
    assert (back.loss, back.delay_ns, back.duplicate) == (0.02, 3_000_000, 0.01)


def test_what_is_left_out_has_the_promised_defaults(tmp_path: Path) -> None:
    plan = plan_of(
        "name: two\nnodes: {a: {kind: computer}, b: {kind: computer}}\nlinks: [[a, b]]", tmp_path
    )
    assert (plan.domain, plan.seed, plan.routing, plan.convergence_ns) == (
        "two.test",
        0,
        "auto",
        50_000_000,
    )
    assert (plan.host_jitter_ns, plan.node("a").order) == (0, "fifo")
    assert plan.node("a").interfaces[0].egress == LinkAttributes()
    assert plan.hosts == {
        "a": bytes((10, 0, 1, 10)),
        "a.two.test": bytes((10, 0, 1, 10)),
        "b": bytes((10, 0, 1, 11)),
        "b.two.test": bytes((10, 0, 1, 11)),
    }


def test_seed_and_name_of_the_caller_go_first(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(EVERY_WORD)
    assert load_plan(file).seed == 7
    assert load_plan(file, seed=0).seed == 0
    other = load_plan(file, name="other")
    assert (other.name, other.domain) == ("other", "words.example")
    with pytest.raises(InvalidNameError, match="cannot name a network"):
        load_plan(file, name="../other")


def test_a_single_node_is_a_network(tmp_path: Path) -> None:
    plan = plan_of("name: one\nnodes: {1: {kind: computer}}\n", tmp_path)
    assert [node.name for node in plan.nodes] == ["1"]
    assert plan.hosts == {}


def test_a_plan_pickles() -> None:
    plan = load_plan(CAMPUS)
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301


def test_loading_imports_neither_networkx_nor_asyncio() -> None:
    check = (
        "import sys; from netsim.topology.load_topology import load_plan; load_plan(sys.argv[1]); "
        "assert not {'networkx', 'asyncio'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check, str(CAMPUS)], check=True)


def test_node_processes_need_the_standard_library_only() -> None:
    check = (
        "import sys; import netsim.topology.plan, netsim.topology.routes; "
        "assert not {'networkx', 'pydantic', 'yaml'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_edit_of_a_file_raises_anything_else(data: st.DataObject, tmp_path: Path) -> None:
    text = EVERY_WORD
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 12))
        scraps = st.sampled_from(
            ["", "[", "{}", ": ", "null", "-1", "1e400", "~", "*x", "a", "\n", "  ", ":", "[a, a]"]
        )
        text = text[:start] + data.draw(scraps) + text[start + length :]
    problems = []
    try:
        plan_of(text, tmp_path)
    except InvalidFileError as error:
        problems = error.problems
    assert all(problem.line >= 1 and problem.column >= 1 for problem in problems)
