"""Names with capitals and `_`: as written in the file, resolved in any case."""

from __future__ import annotations

from pathlib import Path

from netsim import Network, load_graph, make_plan, run
from netsim.topology.load_topology import load_plan

FILE = """\
name: office
nodes:
  Alice: {kind: computer}
  Web_1: {kind: computer, services: {80: netsim.services.httpbin:create_app}}
links: [[Alice, Web_1]]
"""


def test_names_resolve_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(FILE)

    async def test() -> None:
        async with Network(tmp_path / "office.yaml", time="virtual") as net:
            for name in ("Web_1", "web_1", "WEB_1.office.test"):
                response = await net["Alice"].get(f"http://{name}/get")
                assert response.status == 200

    run(test())


def test_a_graph_keeps_the_names_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "office.yaml").write_text(FILE)
    graph = load_graph(tmp_path / "office.yaml")
    assert make_plan(graph).nodes == load_plan(tmp_path / "office.yaml").nodes
