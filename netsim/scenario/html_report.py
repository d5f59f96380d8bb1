"""Results as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.

Equal results give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from netsim.scenario.html.markup import clean, count, duration, table
from netsim.scenario.html.section import section, verdict
from netsim.scenario.html.style import STYLE
from netsim.scenario.results import ScenarioResult

_MOST_ROWS: Final = 5000
_MOST_SECTIONS: Final = 100
_UNFOLDED: Final = 10
"""Scenarios up to which those that held are unfolded, too."""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""A second lock: even text that got past escaping could load and run nothing."""


def write_html(results: Sequence[ScenarioResult], path: str | Path) -> None:
    """Write the report. Raises `OSError` where it cannot be written."""
    Path(path).write_bytes(html_report(results).encode())


def html_report(results: Sequence[ScenarioResult]) -> str:
    """The document; of very many results, sections for some, those that failed first."""
    failed = [number for number, result in enumerate(results) if not result.held]
    held = [number for number, result in enumerate(results) if result.held]
    detailed = sorted((failed + held)[:_MOST_SECTIONS])
    title = f"{len(failed)} of {count(len(results), 'scenario')} did not hold"
    if not failed:
        title = f"{count(len(results), 'scenario')} held"
    sections = (
        section(
            number + 1,
            results[number],
            folded=results[number].held and len(results) > _UNFOLDED,
        )
        for number in detailed
    )
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>netsim test: {title}</title>",
            f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>",
            f"<h1>netsim test: {title}</h1>",
            _summary(results, set(detailed), failed + held),
            *sections,
            "</main>\n</body>\n</html>\n",
        ]
    )


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
