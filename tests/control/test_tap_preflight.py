"""A TAP device that cannot be had is told at its line, with what to do about it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from netsim import InvalidFileError, InvalidGraphError, load_graph, make_plan
from netsim.control.preflight import check_programs_and_ports
from netsim.realtime.tap_device import TUN_DEVICE
from netsim.scenario.load_scenario import load_scenario
from netsim.topology.load_topology import load_plan
from netsim.topology.places_in_file import check_time_can_jump

FILE = """\
name: beside
nodes:
  lab: {kind: computer, attach: "tap:tap7"}
  web: {kind: computer}
links: [[lab, web]]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "beside.yaml"
    file.write_text(FILE)
    return file


@pytest.mark.parametrize(
    ("call", "number", "expected"),
    [
        ("open", errno.ENOENT, "there is no /dev/net/tun for tap:tap7; load the module"),
        ("open", errno.EACCES, "cannot open /dev/net/tun for tap:tap7: permission denied; run"),
        ("ioctl", errno.EBUSY, "tap:tap7 is held by somebody else; end that, or write another"),
        ("ioctl", errno.EINVAL, "tap7 is an interface, and no TAP device; write another name"),
        ("ioctl", errno.EPERM, "`sudo ip tuntap add dev tap7 mode tap user "),
    ],
)
def test_why_it_cannot_be_had(
    call: str, number: int, expected: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(number, os.strerror(number))
    real_open = os.open

    def refuse(*_: object) -> None:
        raise error

    def open_(path: Any, flags: int, *mode: Any, **words: Any) -> int:
        if path != TUN_DEVICE:
            return real_open(path, flags, *mode, **words)
        if call == "open":
            raise error
        return real_open(os.devnull, os.O_RDWR)

    monkeypatch.setattr(os, "open", open_)
    monkeypatch.setattr(fcntl, "ioctl", refuse)
    with pytest.raises(InvalidFileError) as caught:
        check_programs_and_ports(str(file), load_plan(file))
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (3, 33)
    assert expected in problem.message


def test_virtual_time_has_no_place_for_it(file: Path) -> None:
    with pytest.raises(InvalidFileError) as caught:
        check_time_can_jump(load_plan(file))
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (3, 33)
    assert problem.message.startswith("tap:tap7 has no place in virtual time")


def test_a_scenario_in_virtual_time_is_told_when_it_is_read(file: Path) -> None:
    scenario = file.with_name("run.yaml")
    scenario.write_text("name: run\ntopology: beside.yaml\nsteps: [{wait: 1s}]\n")
    assert load_scenario(scenario, time="real").time == "real"
    with pytest.raises(InvalidFileError, match="3:33: tap:tap7 has no place in virtual time"):
        load_scenario(scenario)


def test_a_graph_keeps_it(file: Path) -> None:
    graph = load_graph(file)
    assert graph.nodes["lab"]["attach"] == "tap:tap7"
    del graph.graph["file"]
    plan = make_plan(graph)
    assert plan.node("lab").tap == "tap7"
    with pytest.raises(InvalidGraphError, match="lab: tap:tap7 has no place in virtual time"):
        check_time_can_jump(plan)
