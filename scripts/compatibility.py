"""Tries libraries that nobody here wrote on simulated computers; `--write` makes the page of it.

Run it through `scripts/compatibility [NAME…] [--write]`. Each library has a module in
tests/compatibility/libraries; tests/compatibility/trial.py says what is tried.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "compatibility"))

import trial

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "compatibility.md"
LATEST: Final = ROOT / ".compatibility" / "latest.json"
"""What the last runs found: `--write NAME` writes the others from it."""
TIMES: Final = ("real", "virtual", "virtual")
HEAD: Final = """\
# Compatibility

Libraries as they are, on simulated computers, over a slow path that loses packets:
client – r1 –(20 ms, 1 % loss, 100 mbit)– r2 – server. In each time a megabyte goes to the server
and back (a twentieth where each block waits for an answer), five clients ask at once, the
connection is reset in the middle (over UDP: the link is down for two seconds), and the server has
to answer again. In virtual time all of that twice: it *repeats* where both runs sent the same
frames. Where a library is one side only, the other is aiohttp, or a few lines of asyncio.

`scripts/compatibility --write` writes this page; today's is of CPython {version}. Of {all}
libraries {real} work in real time and {virtual} in virtual time. Below each table: what a program
sees where one does not work.
"""
COLUMNS: Final = (
    *("library", "versions", "role", "real time", "virtual time", "repeats"),
    "its client, when the connection is cut",
)


def main() -> int:
    """1 where one does not work that the page says does, or the other way round."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all where none is given")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time; 2")
    options = parser.parse_args()
    known = trial.names()
    for name in options.names:
        if name not in known:
            parser.error(f"there is no {name}; there are {', '.join(known)}")
    wanted = options.names or known
    found: dict[str, list[dict[str, Any]]] = {}
    latest = json.loads(LATEST.read_text()) if LATEST.exists() else {}
    LATEST.parent.mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, results in zip(wanted, pool.map(_tried, wanted), strict=True):
            found[name] = latest[name] = results
            LATEST.write_text(json.dumps(latest))
            for time, said in zip(TIMES, results, strict=False):
                print(f"{name:<20}{time:<9}{_verdict(said)}", flush=True)
            if results[1]["ok"] and not _repeats(results):
                print(f"{name:<20}does not repeat", flush=True)
    if options.write:
        if missing := set(known) - set(latest):
            parser.error(f"of these nothing is known yet: {', '.join(sorted(missing))}")
        PAGE.write_text(page({name: latest[name] for name in known}))
        return 0
    before = PAGE.read_text()
    others = [name for name in wanted if _row(name, found[name]) not in before]
    print(f"{len(wanted)} libraries; otherwise than on the page: {', '.join(others) or 'none'}")
    return int(bool(others))


def _tried(name: str) -> list[dict[str, Any]]:
    """In real time, in virtual time, and again where that worked."""
    results = [trial.attempt(name, time) for time in TIMES[:2]]
    return [*results, trial.attempt(name, "virtual")] if results[1]["ok"] else results


def _verdict(said: dict[str, Any]) -> str:
    if said["ok"]:
        return f"ok; cut: {said['cut']}"
    return f"FAILS in {said.get('part')}: {said.get('message')}"


def _repeats(results: list[dict[str, Any]]) -> bool:
    return results[1].get("trace") == results[-1].get("trace")


def _row(name: str, results: list[dict[str, Any]]) -> str:
    real, virtual = results[:2]
    cells = [(trial.library(name).__doc__ or name).strip().rstrip("."), trial.versions(name)]
    cells += [trial.library(name).ROLES]
    cells += ["ok" if each["ok"] else "no" for each in (real, virtual)]
    cells += [("yes" if _repeats(results) else "no") if virtual["ok"] else "–"]
    cut = virtual.get("cut", real.get("cut"))
    return _line([*cells, _code(cut) if cut else "–"])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"`{text.replace('|', '/').replace('`', chr(39))}`"


def page(found: dict[str, list[dict[str, Any]]]) -> str:
    """The text of docs/compatibility.md."""
    kinds: dict[str, list[str]] = {}
    for name in found:
        kinds.setdefault(trial.library(name).KIND, []).append(name)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    real, virtual = (sum(results[at]["ok"] for results in found.values()) for at in (0, 1))
    lines = [HEAD.format(version=version, all=len(found), real=real, virtual=virtual)]
    for kind in sorted(kinds):
        lines += [f"## {kind}", "", _line(COLUMNS), _line("---" for _ in COLUMNS)]
        lines += [_row(name, found[name]) for name in kinds[kind]]
        told = [line for name in kinds[kind] for line in _told(name, found[name])]
        lines += ["", *told, ""] if told else [""]
    return "\n".join(lines)


def _told(name: str, results: list[dict[str, Any]]) -> Iterator[str]:
    """What users see where it does not work, or does not repeat."""
    title = (trial.library(name).__doc__ or name).strip().rstrip(".")
    seen: dict[str, str] = {}
    for time, said in zip(TIMES, results[:2], strict=False):
        if not said["ok"]:
            told = f"({said['part']}): {_code(said['message'])}"
            seen[told] = "in both times" if told in seen else f"in {time} time"
    for told, time in seen.items():
        yield f"- {title}, {time} {told}"
    if results[1]["ok"] and not _repeats(results):
        causes = results[1]["notices"] or ["nothing tells of it"]
        yield f"- {title}, another run may differ: {'; '.join(map(_without_place, causes))}"


def _without_place(notice: str) -> str:
    """Lines of libraries are others in each version."""
    return notice.rpartition(" (")[0] or notice


if __name__ == "__main__":
    sys.exit(main())
