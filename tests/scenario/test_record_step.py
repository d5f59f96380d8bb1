"""The step `record`: a file, and plots in the report."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import pairwise
from pathlib import Path

from netsim.observe.measurement import Measurement
from netsim.scenario.html.page import html_report
from netsim.scenario.load_scenario import load_scenario
from netsim.scenario.measured_series import MeasuredSeries
from netsim.scenario.scenario_run import execute

LAN = """\
name: lan
nodes: {alice: {kind: computer}, r1: {kind: router}, web: {kind: computer}}
links:
  - {endpoints: [alice, r1], delay: 1ms}
  - {endpoints: [r1, web], delay: 10ms, bandwidth: 10mbit, queue: 50}
"""
SCENARIO = """\
name: filled
topology: lan.yaml
steps:
  - record: {at: ["r1:eth1", alice], to: out.csv, every: 20ms}
  - transfer: {from: alice, to: web, size: 1MiB}
"""


def test_measurements_are_in_the_file_and_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "lan.yaml").write_text(LAN)
    (tmp_path / "filled.yaml").write_text(SCENARIO)
    result = execute(load_scenario(tmp_path / "filled.yaml"))
    assert result.held, result.failures
    assert result.steps[0].text == "record r1:eth1, alice to out.csv"
    with (tmp_path / "out.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) > 100
    kinds = Counter((sample.kind, sample.label.partition(":")[0]) for sample in result.samples)
    assert {kind for kind, _ in kinds} == {"goodput", "cwnd", "in_flight", "rtt", "queue", "rate"}
    assert kinds["queue", "r1"] == sum(line["interface"] == "eth1" for line in lines)
    queue = [sample.value for sample in result.samples if sample.label == "r1:eth1"]
    assert max(queue) > 40
    page = html_report([result])
    for told in (
        "Congestion window in kB", "Data in flight in kB", "Queue in packets", "Rate in Mbit/s",
    ):  # fmt: skip
        assert told in page
    assert result.as_dict()["samples"][-1]["kind"] in {"rate", "rtt"}


def test_a_report_has_a_few_hundred_values_of_each_series() -> None:
    series = MeasuredSeries()
    for number in range(10_000):
        series.add([Measurement(number, "r1", "eth0", queue_packets=number % 50)])
    kept = list(series.samples())
    assert 250 <= len(kept) <= 500
    # Evenly, from the first to nearly the last.
    gaps = {b.time_ns - a.time_ns for a, b in pairwise(kept)}
    assert len(gaps) == 1
    assert kept[0].time_ns == 0
    assert kept[-1].time_ns >= 10_000 - max(gaps)
    assert list(series.notices()) == []


def test_of_very_many_series_the_first_are_kept_and_the_others_told() -> None:
    series = MeasuredSeries()
    for port in range(100):
        measured = Measurement(1, "a", local=f"10.0.0.1:{port}", remote="10.0.0.2:80", cwnd_bytes=9)
        series.add([measured, measured])
    assert len({sample.label for sample in series.samples()}) == 60
    assert list(series.notices()) == ["40 series of measurements are in the file only"]
