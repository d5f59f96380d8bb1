"""Results as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.

Equal results give equal bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from netsim.drawing.picture import picture_of
from netsim.drawing.svg import to_svg
from netsim.scenario.html.markup import clean, count, duration, table
from netsim.scenario.html.section import section, verdict
from netsim.scenario.results import ScenarioResult
from netsim.topology.checked_topology import Topology
from netsim.topology.make_plan import make_plan

_MOST_ROWS: Final = 5000
_MOST_SECTIONS: Final = 100
_UNFOLDED: Final = 10
"""Scenarios up to which those that held are unfolded, too."""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""A second lock: even text that got past escaping could load and run nothing."""
_MOST_PICTURES: Final = 20

Topologies = Mapping[str, Topology]
"""By the scenario file, as results have it."""


def write_html(
    results: Sequence[ScenarioResult], path: str | Path, topologies: Topologies | None = None
) -> None:
    """Write the report. Raises `OSError` where it cannot be written."""
    Path(path).write_bytes(html_report(results, topologies).encode())


def html_report(results: Sequence[ScenarioResult], topologies: Topologies | None = None) -> str:
    """The document; of very many results, sections for some, those that failed first.

    The first section of a file has the picture of its topology.
    """
    failed = [number for number, result in enumerate(results) if not result.held]
    held = [number for number, result in enumerate(results) if result.held]
    detailed = sorted((failed + held)[:_MOST_SECTIONS])
    title = f"{len(failed)} of {count(len(results), 'scenario')} did not hold"
    if not failed:
        title = f"{count(len(results), 'scenario')} held"
    undrawn = dict(islice((topologies or {}).items(), _MOST_PICTURES))
    sections = []
    for number in detailed:
        result = results[number]
        topology = undrawn.pop(result.file, None)
        sections.append(
            section(
                number + 1,
                result,
                drawing="" if topology is None else _drawing(topology),
                folded=result.held and len(results) > _UNFOLDED,
            )
        )
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>netsim test: {title}</title>",
            f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>",
            f"<h1>netsim test: {title}</h1>",
            _summary(results, set(detailed), failed + held),
            *sections,
            "</main>\n</body>\n</html>\n",
        ]
    )


def _drawing(topology: Topology) -> str:
    """The picture as an image, so that its styles and those of the page keep apart."""
    picture = picture_of(make_plan(topology))
    data = base64.b64encode(to_svg(picture).encode()).decode()
    name = clean(f"Topology {picture.plan.name}: {picture.caption()}")
    return f'<img class="network" alt="{name}" src="data:image/svg+xml;base64,{data}">'


def _summary(results: Sequence[ScenarioResult], detailed: set[int], ranked: Sequence[int]) -> str:
    shown = sorted(ranked[:_MOST_ROWS])
    caption = count(len(results), "scenario")
    if len(shown) < len(results):
        caption += f", {len(shown):,} of them shown"
    heads = ("scenario", "outcome", "file", "seed", "time", "network time", "wall time")
    return table(
        caption, heads, [_row(number, results[number], number in detailed) for number in shown]
    )


def _row(number: int, result: ScenarioResult, is_detailed: bool) -> str:
    name = clean(result.name)
    if is_detailed:
        name = f'<a href="#scenario-{number + 1}">{name}</a>'
    return (
        f'<tr><th scope="row" class="what">{name}</th>'
        f'<td class="place">{verdict(result.held)}</td><td class="what">{clean(result.file)}</td>'
        f'<td class="number">{result.seed}</td><td>{clean(result.time)}</td>'
        f'<td class="number">{duration(result.network_ns)}</td>'
        f'<td class="number">{result.wall_seconds:.2f} s</td></tr>'
    )


_STYLE: Final = """\
:root{color-scheme:light dark;--paper:#fff;--ink:#0f172a;--dim:#5b6779;--rule:#dbe2ea;--box:#f5f7fa;
--good:#1f7a45;--good-bar:#3f9d68;--bad:#b42318;--bad-bar:#d6402f;--fault:#f2b84b;--on-fault:#3d2a00;
--shade:#f2b84b33;--s0:#2563a8;--s1:#c2570c;--s2:#1f7a45;--s3:#7c3fbf;--s4:#c02657;--s5:#0e7f88;
--s6:#7d6f08;--s7:#7a5a41}
@media screen and (prefers-color-scheme:dark){:root{--paper:#11161d;--ink:#e6ebf2;--dim:#9aa7b8;
--rule:#2c3542;--box:#1a212b;--good:#6fd39b;--good-bar:#3c9c69;--bad:#ff8f80;--bad-bar:#e05444;
--fault:#b9821c;--on-fault:#fff;--shade:#b9821c44;--s0:#6cb0f5;--s1:#f59a56;--s2:#67cf94;--s3:#bd93f5;
--s4:#f5799f;--s5:#4fc9d3;--s6:#d3c14a;--s7:#c9a487}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1320px;padding:24px 28px 60px;background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,"Segoe UI",Helvetica,Arial,"DejaVu Sans",sans-serif}
h1{font-size:26px;margin:0 0 4px}h2{font-size:20px;margin:44px 0 4px;
border-top:2px solid var(--rule);padding-top:18px;overflow-wrap:anywhere}
h3{font-size:16px;margin:26px 0 6px}
h4{font-size:15px;margin:18px 0 4px;overflow-wrap:anywhere}
p{margin:4px 0}.note,.dim,caption{color:var(--dim)}.note{font-size:13px}a{color:inherit}
code,pre{font:13px/1.45 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
code{background:var(--box);padding:2px 6px;border-radius:4px;overflow-wrap:anywhere}
.good-text{color:var(--good);font-weight:600}.bad-text{color:var(--bad);font-weight:600}
.problem{border-left:4px solid var(--bad-bar);background:var(--box);padding:8px 14px;margin:10px 0}
.network{max-width:100%;max-height:640px}
.trace{max-width:100%}
.scroll{overflow-x:auto;margin:6px 0}summary{cursor:pointer;color:var(--dim)}
table{border-collapse:collapse;width:100%;font-size:14px}caption{text-align:left;font-size:13px;
padding:2px 0}th,td{text-align:left;vertical-align:top;padding:4px 10px 4px 0;
border-bottom:1px solid var(--rule)}thead th{color:var(--dim);font-weight:600;white-space:nowrap}
tbody th{font-weight:400}td.number,.place{white-space:nowrap;font-variant-numeric:tabular-nums}
.what{overflow-wrap:anywhere;min-width:180px}.legend{width:auto;margin-bottom:14px}
.legend td,.legend th{padding-right:26px}.legend svg{vertical-align:-2px}
tr.failed{background:var(--box)}
.scroll>svg{max-width:100%;height:auto}
svg{display:block;font:12px system-ui,"Segoe UI",Helvetica,Arial,"DejaVu Sans",sans-serif}
th svg{display:inline}svg text{fill:var(--ink)}
svg .part{font-weight:600;font-size:13px}svg .tick{font-size:11.5px;fill:var(--dim);
font-variant-numeric:tabular-nums}svg .said{font-size:11.5px}svg .dim{fill:var(--dim)}
svg .bad-text{fill:var(--bad)}svg .mid{text-anchor:middle}svg .end{text-anchor:end}
svg .node{font-weight:600;font-size:13px}svg .on-fault{fill:var(--on-fault);font-size:11px}
.grid{stroke:var(--rule);fill:none}.good{fill:var(--good-bar)}.bad{fill:var(--bad-bar)}
.cross{stroke:var(--paper);stroke-width:2;fill:none}.fault{fill:var(--fault)}
.change{fill:var(--shade);stroke:var(--fault)}
.shade{fill:var(--shade)}.error{fill:var(--bad-bar)}.lane{stroke:var(--dim);stroke-opacity:.6}
.arrow{stroke:var(--s0);stroke-width:1.5;fill:none}.head{fill:var(--s0)}
.under-way{stroke-dasharray:4 3}.lost{stroke:var(--bad);stroke-width:2;fill:none}
.line{fill:none;stroke:currentColor;stroke-opacity:.45}.range{fill:none;stroke:currentColor;
stroke-width:1.5;stroke-opacity:.7}.mark{fill:currentColor}
.s0{color:var(--s0)}.s1{color:var(--s1)}.s2{color:var(--s2)}.s3{color:var(--s3)}
.s4{color:var(--s4)}.s5{color:var(--s5)}.s6{color:var(--s6)}.s7{color:var(--s7)}
@page{size:landscape;margin:12mm}
@media print{body{max-width:none;padding:0;font-size:12px}.scroll{overflow:visible}
svg{max-width:100%;height:auto}th svg{max-width:14px}*{print-color-adjust:exact;
-webkit-print-color-adjust:exact}tr,h2,h3,h4{break-inside:avoid}h2,h3,h4{break-after:avoid}}"""
