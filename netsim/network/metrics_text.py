"""What a network counts, as Prometheus reads it: text of its exposition format.

Made of the document of `inspect`, so that both say the same. Labels are names of the plan and the
reasons of frames that are dropped: their number does not grow while the network runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from netsim.core.errors import NetsimError

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
REASONS: Final = 32
"""Reasons that frames of one interface are dropped for; more are added up as `other`."""
_TX_COUNTERS: Final = {
    "frames": "Frames given to the cable, whatever became of them.",
    "bytes": "Their bytes, Ethernet headers included.",
    "duplicated": "Copies that the cable made.",
    "corrupted": "Frames that the cable damaged.",
    "reordered": "Frames that the cable let overtake others.",
    "marked": "Frames that a queue told of congestion (ECN).",
}


def metrics_text(document: dict[str, Any]) -> str:
    """Of a document as `Network.inspect` makes it; NetsimError without prometheus-client."""
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError:
        raise NetsimError(
            "metrics need prometheus-client, which is missing; pip install prometheus-client"
        ) from None

    class Facts:
        def collect(self) -> Iterator[Metric]:
            return _metrics(document)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Facts())
    return generate_latest(registry).decode()


def _metrics(document: dict[str, Any]) -> Iterator[Metric]:
    yield from _of_nodes(document["nodes"])
    yield from _of_interfaces(document["nodes"])
    yield from _of_links(document["links"])
    yield from _of_timing(document["timing"])


def _of_nodes(nodes: list[dict[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    up = GaugeMetricFamily(
        "netsim_node_up", "Whether it runs and answers.", labels=["node", "kind"]
    )
    lateness = {
        key: GaugeMetricFamily(
            f"netsim_node_lateness_{key}_seconds",
            f"How far its process ran behind the network's time: {key}, since it started.",
            labels=["node"],
        )
        for key in ("median", "p99", "max")
    }
    resynced = CounterMetricFamily(
        "netsim_node_resynced", "Frames and timers whose time was moved.", labels=["node"]
    )
    dropped = CounterMetricFamily(
        "netsim_node_dropped",
        "Frames and packets that the node itself has discarded.",
        labels=["node", "reason"],
    )
    forwarded = CounterMetricFamily(
        "netsim_node_forwarded_packets", "Packets for others.", labels=["node"]
    )
    tcp = CounterMetricFamily(
        "netsim_tcp_events", "What happened to TCP on it, by event.", labels=["node", "event"]
    )
    for node in nodes:
        name = node["name"]
        up.add_metric([name, node["kind"]], node["state"] == "running")
        late = node.get("lateness")
        if late is not None:
            for key, family in lateness.items():
                family.add_metric([name], late[f"{key}_us"] / 1e6)
            resynced.add_metric([name], late["resynced"])
        for reason, count in _bounded(node.get("drops", {})).items():
            dropped.add_metric([name, reason], count)
        counters = node.get("counters", {})
        if "forwarded" in counters:
            forwarded.add_metric([name], counters["forwarded"])
        for event, count in counters.get("tcp", {}).items():
            tcp.add_metric([name, event], count)
    yield from (up, *lateness.values(), resynced, dropped, forwarded, tcp)


def _of_interfaces(nodes: list[dict[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    where = ["node", "interface"]
    up = GaugeMetricFamily("netsim_interface_up", "Whether it has a carrier.", labels=where)
    queued = GaugeMetricFamily(
        "netsim_interface_queued_frames", "Frames that wait for the cable.", labels=where
    )
    sent = {
        key: CounterMetricFamily(f"netsim_interface_tx_{key}", text, labels=where)
        for key, text in _TX_COUNTERS.items()
    }
    received = CounterMetricFamily(
        "netsim_interface_rx_frames", "Frames given to the node.", labels=where
    )
    dropped = CounterMetricFamily(
        "netsim_interface_dropped_frames",
        "Frames dropped, by the direction that they had and the reason.",
        labels=[*where, "direction", "reason"],
    )
    for node in nodes:
        for each in node["interfaces"]:
            labels = [node["name"], each["name"]]
            up.add_metric(labels, each["up"])
            if "tx" not in each:
                continue  # it does not answer
            queued.add_metric(labels, each["tx"]["queued"])
            for key, family in sent.items():
                family.add_metric(labels, each["tx"][key])
            received.add_metric(labels, each["rx"]["frames"])
            for direction in ("tx", "rx"):
                for reason, count in _bounded(each[direction]["dropped"]).items():
                    dropped.add_metric([*labels, direction, reason], count)
    yield from (up, queued, *sent.values(), received, dropped)


def _of_links(links: list[dict[str, Any]]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    up = GaugeMetricFamily("netsim_link_up", "Whether it has a carrier.", labels=["link"])
    way = ["link", "from"]
    in_flight = GaugeMetricFamily(
        "netsim_link_in_flight_frames", "Queued, on the cable, or not yet due.", labels=way
    )
    delivered = CounterMetricFamily(
        "netsim_link_delivered_frames", "Frames that arrived, by who sent them.", labels=way
    )
    dropped = CounterMetricFamily(
        "netsim_link_dropped_frames",
        "Frames that did not, by both ends.",
        labels=[*way, "reason"],
    )
    for link in links:
        ends = (f"{link[end]['node']}:{link[end]['interface']}" for end in ("a", "b"))
        name = " - ".join(ends)
        up.add_metric([name], link["up"])
        for frames in link.get("frames") or ():
            labels = [name, frames["from"]]
            in_flight.add_metric(labels, frames["in_flight"])
            delivered.add_metric(labels, frames["delivered"])
            for reason, count in _bounded(frames["dropped"]).items():
                dropped.add_metric([*labels, reason], count)
    yield from (up, in_flight, delivered, dropped)


def _of_timing(timing: dict[str, Any]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    trusted = GaugeMetricFamily(
        "netsim_timing_trusted", "Whether the timing since the start can be trusted."
    )
    trusted.add_metric([], timing["trusted"])
    latest = GaugeMetricFamily("netsim_timing_max_late_seconds", "How late the latest frame was.")
    latest.add_metric([], timing["max_late_ms"] / 1e3)
    late = CounterMetricFamily(
        "netsim_timing_late_events",
        "Handled more than 20 ms late, at all nodes, and frames that no process took.",
        labels=["what"],
    )
    for what in ("late_frames", "late_timers", "lost_frames"):
        late.add_metric([what], timing[what])
    yield from (trusted, latest, late)


def _bounded(counts: dict[str, int]) -> dict[str, int]:
    if len(counts) <= REASONS:
        return counts
    kept = dict(list(counts.items())[: REASONS - 1])
    return {**kept, "other": kept.get("other", 0) + sum(counts.values()) - sum(kept.values())}
