"""Metrics are read back by the parser of their own library, and say what inspect says."""

from __future__ import annotations

import copy
import sys
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from netsim import NetsimError, Network, run
from netsim.network.metrics_text import REASONS, metrics_text

SMALL = """
name: small
nodes:
  alice: {kind: computer}
  s1: {kind: switch}
  r1: {kind: router}
  web: {kind: computer}
links: [[alice, s1], {endpoints: [s1, r1], loss: 5%, bandwidth: 1mbit, queue: 5}, [r1, web]]
"""
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """A document, and the metrics of the same moment."""
    file = tmp_path_factory.mktemp("metrics") / "small.yaml"
    file.write_text(SMALL)

    async def main() -> tuple[dict[str, Any], str]:
        async with Network(file, time="virtual", seed=1) as network:
            await network["alice"].transfer("web", "200KiB")
            await network["web"].crash()
            return await network.inspect(), await network.metrics()

    return run(main())


def samples_of(text: str) -> Samples:
    samples = [sample for family in parsed(text) for sample in family.samples]
    found = {(each.name, frozenset(each.labels.items())): each.value for each in samples}
    assert len(found) == len(samples), "no sample comes twice"
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def test_every_counter_of_inspect_is_there(seen: tuple[dict[str, Any], str]) -> None:
    document, text = seen
    samples = samples_of(text)
    for node in document["nodes"]:
        name = node["name"]
        is_up = node["state"] == "running"
        assert value(samples, "netsim_node_up", node=name, kind=node["kind"]) == is_up
        for each in node["interfaces"]:
            where = {"node": name, "interface": each["name"]}
            assert value(samples, "netsim_interface_up", **where) == each["up"]
            if not is_up:
                assert ("netsim_interface_rx_frames_total", frozenset(where.items())) not in samples
                continue
            sent = value(samples, "netsim_interface_tx_bytes_total", **where)
            assert sent == each["tx"]["bytes"]
            assert value(samples, "netsim_interface_queued_frames", **where) == each["tx"]["queued"]
            for reason, count in each["tx"]["dropped"].items():
                where |= {"direction": "tx", "reason": reason}
                assert value(samples, "netsim_interface_dropped_frames_total", **where) == count
        for event, count in node.get("counters", {}).get("tcp", {}).items():
            assert value(samples, "netsim_tcp_events_total", node=name, event=event) == count
    link = document["links"][1]
    name = "s1:eth1 - r1:eth0"
    for frames in link["frames"]:
        labels = {"link": name, "from": frames["from"]}
        delivered = value(samples, "netsim_link_delivered_frames_total", **labels)
        assert delivered == frames["delivered"] > 0
        for reason, count in frames["dropped"].items():
            of_reason = value(samples, "netsim_link_dropped_frames_total", **labels, reason=reason)
            assert of_reason == count > 0
    assert value(samples, "netsim_link_up", link="r1:eth1 - web:eth0") == 0
    assert value(samples, "netsim_timing_trusted") == 1
    lost = [key for key in samples if dict(key[1]).get("reason") == "loss"]
    assert lost, "there was loss to be counted"
    retransmitted = value(samples, "netsim_tcp_events_total", node="alice", event="retransmissions")
    assert retransmitted > 0


def test_lateness_of_processes(seen: tuple[dict[str, Any], str]) -> None:
    document = copy.deepcopy(seen[0])
    late = {"samples": 9, "median_us": 64, "p99_us": 1024, "max_us": 94_000, "resynced": 13}
    document["nodes"][0]["lateness"] = late
    document["timing"] |= {"trusted": False, "late_frames": 13, "max_late_ms": 94.0}
    samples = samples_of(metrics_text(document))
    assert value(samples, "netsim_node_resynced_total", node="alice") == 13
    assert value(samples, "netsim_node_lateness_max_seconds", node="alice") == 0.094
    assert value(samples, "netsim_timing_late_events_total", what="late_frames") == 13
    assert value(samples, "netsim_timing_trusted") == 0


def test_labels_are_bounded_and_escaped(seen: tuple[dict[str, Any], str]) -> None:
    document = copy.deepcopy(seen[0])
    switch = document["nodes"][1]
    switch["drops"] = {f'reason "{number}"\n\\': number for number in range(1000)}
    samples = samples_of(metrics_text(document))
    of_switch = {
        dict(labels)["reason"]: count
        for (name, labels), count in samples.items()
        if name == "netsim_node_dropped_total" and ("node", "s1") in labels
    }
    assert len(of_switch) == REASONS
    assert sum(of_switch.values()) == sum(range(1000))
    assert 'reason "1"\n\\' in of_switch


def test_without_the_extra_it_is_said_what_to_install(
    seen: tuple[dict[str, Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(NetsimError, match="pip install prometheus-client"):
        metrics_text(seen[0])
