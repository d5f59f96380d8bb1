"""docs/topology.md says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netsim.core.attribute import described
from netsim.core.errors import InvalidFileError
from netsim.core.link_attributes import GilbertElliott, Jitter
from netsim.topology.link_words import LinkWords
from netsim.topology.load_topology import load_plan
from netsim.topology.topology_words import (
    AddressingWords,
    KindWords,
    NodeWords,
    RouteWords,
    RunWords,
    ServiceWords,
    TopologyWords,
)
from netsim.topology.vocabulary import Words

PAGE = (Path(__file__).parents[2] / "docs" / "topology.md").read_text()
EXAMPLE = PAGE.split("```yaml\n")[1].split("```")[0]

MODELS = [
    AddressingWords,
    KindWords,
    LinkWords,
    NodeWords,
    RouteWords,
    RunWords,
    ServiceWords,
    TopologyWords,
]


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_on_the_page(model: type[Words]) -> None:
    words = set(re.findall(r"[a-z_]+", PAGE))
    assert set(model.model_fields) <= words
    assert set(model.not_yet) <= words
    for mapping in (GilbertElliott, Jitter):
        assert {part.word for part in described(mapping)} <= words


def test_the_example_is_a_network(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(EXAMPLE)
    assert [node.name for node in load_plan(file).nodes] == ["laptop", "web", "r1"]


def test_the_mistakes_shown_are_those_that_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = EXAMPLE.replace("ports:", "port:").replace("[laptop,", "[laptob,").replace("20ms", "20")
    (tmp_path / "small.yaml").write_text(bad)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidFileError) as caught:
        load_plan("small.yaml")
    assert f"```\n{caught.value}\n```" in PAGE
