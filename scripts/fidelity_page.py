"""Puts what `scripts/bench fidelity` measured into docs/fidelity.md: tables, and plots."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench_fidelity import REFERENCE, is_within
from line_chart import Axis, Line, line_chart

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
PAGE: Final = DOCS / "fidelity.md"
OTHERS: Final = {"cubic": ("linux", "ns-3"), "reno": ("linux", "ns-3 LinuxReno", "ns-3 NewReno")}
LOSSES: Final = (0.1, 1, 2, 5)


def write(measured: dict[str, Any]) -> None:
    """Every table, and every plot."""
    page = PAGE.read_text()
    for name, table in (
        ("goodput", _goodput(measured["transfers"])),
        ("round trips", _round_trips(measured["transfers"])),
        ("answers", _answers(measured["http"])),
        ("queues", _queues(measured["queues"])),
    ):
        begin, end = f"<!-- {name}, by scripts/bench fidelity --write -->", "<!-- end -->"
        pattern = re.compile(f"({re.escape(begin)}\n).*?({end})", re.S)
        page, count = pattern.subn(lambda mark, table=table: f"{mark[1]}{table}\n{mark[2]}", page)
        assert count == 1, f"docs/fidelity.md has no place for {name}"
    PAGE.write_text(page)
    plots = {
        "cwnd": _windows(measured["windows"]),
        "loss-10": _loss(measured["transfers"], 10, Axis((0.5, 1, 2, 5, 10), logarithmic=True)),
        "loss-100": _loss(
            measured["transfers"], 100, Axis((0.5, 1, 2, 5, 10, 20, 50), logarithmic=True)
        ),
        "queues": _waits(measured["queues"]),
    }
    for name, plot in plots.items():
        (DOCS / f"fidelity-{name}.svg").write_text(plot)


# Tables ---------------------------------------------------------------------------------------


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _number(value: float) -> str:
    return f"{value:.3g}"


def _row_of(cell: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = next(
        each
        for each in REFERENCE["cells"]
        if (each["mbit"], each["loss"]) == (cell["mbit"], cell["loss"])
    )
    return row


def _place(cell: dict[str, Any]) -> str:
    return f"{cell['mbit']} mbit, " + (f"{cell['loss']} %" if cell["loss"] else "no loss")


def _goodput(cells: list[dict[str, Any]]) -> str:
    heads = ["path", "control", "netsim", "Linux", "ns-3", ""]
    rows = []
    for cell in sorted(cells, key=lambda cell: cell["congestion"]):
        row, seen = _row_of(cell)[cell["congestion"]], cell["goodput"]
        ours = _number(median(seen))
        if len(seen) > 1:
            ours += f" ({_number(min(seen))}–{_number(max(seen))})"
        others = [_number(row[name]) for name in OTHERS[cell["congestion"]]]
        verdict = "within" if is_within(cell) else "**beyond**"
        linux, *ns3 = others
        rows.append([_place(cell), cell["congestion"], ours, linux, ", ".join(ns3), verdict])
    return _table(heads, rows)


def _round_trips(cells: list[dict[str, Any]]) -> str:
    by_place: dict[str, dict[str, tuple[float, float]]] = {}
    for cell in cells:
        pair = median(cell["rtt_ms"]), _row_of(cell)["linux_rtt_ms"][cell["congestion"]]
        by_place.setdefault(_place(cell), {})[cell["congestion"]] = pair
    return _table(
        ["path", "CUBIC", "Linux", "Reno", "Linux"],
        [
            [place, *(f"{value:.0f}" for name in ("cubic", "reno") for value in pairs[name])]
            for place, pairs in by_place.items()
        ],
    )


def _answers(took: dict[str, float]) -> str:
    rows = []
    for each in REFERENCE["http"]:
        ours = took[f"{each['congestion']} {each['mbit']} {each['octets']}"]
        path = f"{each['mbit']} mbit, {each['congestion']}"
        linux = each["linux_ms"]
        difference = f"{ours / linux - 1:+.1%}"
        rows.append([path, f"{each['octets']:,}", _number4(ours), _number4(linux), difference])
    return _table(["path", "bytes", "netsim, ms", "Linux, ms", ""], rows)


def _number4(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _queues(queues: dict[str, Any]) -> str:
    rows = []
    for name, ours in queues.items():
        theirs = REFERENCE["queues"][name]["ns-3"]
        rows.append([name, *(_number(run[key]) for key in ("goodput", "wait_ms")
                             for run in (ours, theirs))])  # fmt: skip
    return _table(["queue", "netsim, Mbit/s", "ns-3", "probe waits in netsim, ms", "ns-3"], rows)


# Plots ----------------------------------------------------------------------------------------


def _windows(windows: dict[str, list[list[float]]]) -> str:
    lines = [
        Line(name, [(at, size) for at, size in points if at <= 40], number)
        for number, (name, points) in enumerate(windows.items())
    ]
    title = "Congestion window in segments: 10 mbit, queue of 100 packets, no loss"
    axis = Axis(tuple(range(0, 41, 5)))
    return line_chart(title, "s", axis, Axis((0, 20, 40, 60, 80, 100, 120, 140)), lines)


def _loss(cells: list[dict[str, Any]], mbit: int, axis: Axis) -> str:
    lines = []
    for colour, congestion in enumerate(("cubic", "reno")):
        ours = {cell["loss"]: median(cell["goodput"]) for cell in cells
                if (cell["congestion"], cell["mbit"]) == (congestion, mbit)}  # fmt: skip
        points = [(loss, ours[loss]) for loss in LOSSES]
        lines.append(Line(f"{congestion}, netsim", points, colour, marked=True))
        for number, name in enumerate(OTHERS[congestion]):
            theirs = {row["loss"]: row[congestion][name] for row in REFERENCE["cells"]
                      if row["mbit"] == mbit}  # fmt: skip
            points = [(loss, theirs[loss]) for loss in LOSSES]
            shown = "Linux" if name == "linux" else name
            lines.append(
                Line(
                    f"{congestion}, {shown}",
                    points,
                    colour if not number else 2 + colour + number,
                    True,
                )
            )
    title = f"Goodput in Mbit/s against loss: {mbit} mbit"
    return line_chart(title, "loss, %", Axis(LOSSES, logarithmic=True), axis, lines)


def _waits(queues: dict[str, Any]) -> str:
    lines = [
        Line(
            f"{name}: {queue['wait_ms']:.3g} ms",
            [(at, max(wait, 0.1)) for at, wait in queue["waits"] if at <= 30],
            number,
        )
        for number, (name, queue) in enumerate(queues.items())
    ]
    title = "How long a probe waits beside one transfer at 10 mbit, in ms"
    axis = Axis((0.1, 0.3, 1, 3, 10, 30, 100, 200), logarithmic=True)
    return line_chart(title, "s", Axis((0, 5, 10, 15, 20, 25, 30)), axis, lines)
