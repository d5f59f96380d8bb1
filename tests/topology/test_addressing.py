from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsim.topology.load_topology import load_plan
from netsim.topology.plan import NetworkPlan

CAMPUS = Path(__file__).parents[2] / "topologies" / "campus.yaml"


def plan_of(text: str, folder: Path) -> NetworkPlan:
    file = folder / "topology.yaml"
    file.write_text(text)
    return load_plan(file)


def addresses(plan: NetworkPlan) -> dict[str, str]:
    return {
        f"{node.name}:{each.name}": f"{ipaddress.ip_address(each.address)}/{each.prefix_length}"
        for node in plan.nodes
        for each in node.interfaces
        if each.address is not None
    }


def test_campus_has_the_addresses_its_comments_promise() -> None:
    found = addresses(load_plan(CAMPUS))
    assert found["alice:eth0"] == "10.0.1.10/24"
    assert found["bob:eth0"] == "10.0.1.11/24"
    assert found["lab-20:eth0"] == "10.0.2.29/24"
    assert found["web:eth0"] == "10.0.3.10/24"
    assert found["files:eth0"] == "10.0.3.11/24"
    assert [found[f"r1:eth{i}"] for i in range(4)] == [
        "10.0.1.1/24",
        "10.0.2.1/24",
        "10.0.4.1/24",
        "10.0.6.1/24",
    ]
    assert len(set(found.values())) == len(found)


def test_macs_are_unique_local_and_follow_the_file() -> None:
    plan = load_plan(CAMPUS)
    macs = [each.mac.hex(":") for node in plan.nodes for each in node.interfaces]
    assert len(set(macs)) == len(macs)
    assert macs[0] == "02:00:00:01:00:00"
    assert plan.node("r1").interfaces[3].mac.hex(":") == "02:00:00:1c:00:03"


BASE_NODES = [
    "a: {kind: computer}",
    "s: {kind: switch}",
    "r: {kind: router}",
    "q: {kind: router}",
    "b: {kind: computer}",
]
BASE_LINKS = ["[a, s]", "[s, r]", "[r, q]", "[q, b]", "[r, q]"]


def text_of(nodes: list[str], links: list[str]) -> str:
    return "\n".join(
        ["name: x", "nodes:", *(f"  {n}" for n in nodes), "links:", *(f"  - {e}" for e in links)]
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nodes_added_at_the_end_change_no_other_address(
    data: st.DataObject, tmp_path: Path
) -> None:
    """Wherever among the links a new node's links are written."""
    nodes, links = list(BASE_NODES), list(BASE_LINKS)
    before = addresses(plan_of(text_of(nodes, links), tmp_path))
    for index in range(data.draw(st.integers(1, 4))):
        kind = data.draw(st.sampled_from(["computer", "switch", "router"]))
        peers = ["s", "r", "q"] if kind != "switch" else ["s", "r", "a"]
        peer = data.draw(st.sampled_from(peers))
        count = data.draw(st.sampled_from(["", ", count: 3"]))
        nodes.append(f"n{index}: {{kind: {kind}{count}}}")
        place = data.draw(st.integers(0, len(links)))
        # Explicit names keep the interfaces of the old nodes comparable.
        links.insert(place, f"[n{index}, {peer}]")
    plan = plan_of(text_of(nodes, links), tmp_path)
    old = {name.partition(":")[0] for name in before}
    after = addresses(plan)
    for name in old:
        kept = [address for key, address in before.items() if key.startswith(f"{name}:")]
        now = [address for key, address in after.items() if key.startswith(f"{name}:")]
        assert set(kept) <= set(now)


def test_a_given_subnet_moves_only_the_segment_that_had_it(tmp_path: Path) -> None:
    before = addresses(plan_of(text_of(BASE_NODES, BASE_LINKS), tmp_path))
    given = [n.replace("b: {", "b: {address: 10.0.1.77/24, ") for n in BASE_NODES]
    after = addresses(plan_of(text_of(given, BASE_LINKS), tmp_path))
    assert before["a:eth0"] == "10.0.1.10/24"
    assert after["b:eth0"] == "10.0.1.77/24"
    assert after["q:eth1"] == "10.0.1.1/24"
    assert after["a:eth0"] == "10.128.0.10/24"
    assert after["r:eth1"] == before["r:eth1"]


def test_a_large_segment_gets_a_subnet_with_room(tmp_path: Path) -> None:
    found = addresses(
        plan_of(
            "name: x\nnodes: {c: {kind: computer, count: 600}, s: {kind: switch}}\nlinks: [[c, s]]",
            tmp_path,
        )
    )
    assert found["c-600:eth0"] == "10.128.2.97/22"
    assert len(set(found.values())) == 600


def test_small_subnets_are_used_to_the_last_address(tmp_path: Path) -> None:
    nodes = "{c: {kind: computer, count: 5}, r: {kind: router}, s: {kind: switch}}"
    found = addresses(
        plan_of(
            f"name: x\naddressing: 192.168.7.0/28\nnodes: {nodes}\nlinks: [[c, s], [r, s]]",
            tmp_path,
        )
    )
    subnet = ipaddress.ip_network("192.168.7.8/29")
    assert len(set(found.values())) == 6
    assert {ipaddress.ip_interface(address).network for address in found.values()} == {subnet}
    assert found["r:eth0"] == "192.168.7.9/29"


@pytest.mark.parametrize(("end", "address"), [("r:wan", "10.9.0.1/30"), ("q:eth0", "10.9.0.2/30")])
def test_a_router_has_an_address_for_each_interface(end: str, address: str, tmp_path: Path) -> None:
    text = text_of(
        [n.replace("r: {", "r: {address: {wan: 10.9.0.1/30}, ") for n in BASE_NODES],
        ["[a, s]", "[s, r]", '["r:wan", q]', "[q, b]"],
    )
    assert addresses(plan_of(text, tmp_path))[end] == address
