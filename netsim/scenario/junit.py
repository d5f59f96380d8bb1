"""Results as JUnit XML, in the form that pytest writes and CI systems read ("xunit2")."""

from __future__ import annotations

import datetime
import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from xml.etree import ElementTree

from netsim.core.printable import printable
from netsim.scenario.results import ScenarioResult
from netsim.scenario.text_report import again, failure_lines


def junit_xml(results: Iterable[ScenarioResult], wall_seconds: float) -> bytes:
    """A document with a test case for each result."""
    results = list(results)
    times = Counter((result.file, result.name) for result in results)
    cases = [_case(result, times[result.file, result.name] > 1) for result in results]
    failed = sum(case.find("failure") is not None for case in cases)
    suite = ElementTree.Element(
        "testsuite",
        name="netsim",
        errors="0",
        failures=str(failed),
        skipped="0",
        tests=str(len(cases)),
        time=f"{wall_seconds:.3f}",
        timestamp=datetime.datetime.now(datetime.UTC).isoformat(),
        hostname=platform.node(),
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites", name="netsim tests")
    root.append(suite)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(result: ScenarioResult, is_one_of_many: bool) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        # Tools make a tree of what is between dots.
        classname=_clean(".".join(PurePath(result.file).with_suffix("").parts)),
        name=_clean(f"{result.name} [seed {result.seed}]" if is_one_of_many else result.name),
        time=f"{result.wall_seconds:.3f}",
    )
    properties = ElementTree.SubElement(case, "properties")
    for name, value in (
        ("seed", str(result.seed)),
        *([("order", result.order)] if result.order else []),
        ("time", result.time),
        ("network_ns", str(result.network_ns)),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    if not result.held:
        lines = list(failure_lines(result))
        failure = ElementTree.SubElement(case, "failure", message=_clean(lines[0] if lines else ""))
        failure.text = _clean("\n".join([*lines, f"again: {again(result)}"]))
    if result.notices:
        noted = ElementTree.SubElement(case, "system-out")
        noted.text = _clean("\n".join(f"note: {notice}" for notice in result.notices))
    return case


def _clean(text: str) -> str:
    """What does not print is escaped: some of it is no XML, and a terminal obeys the rest."""
    return printable(text, "\n\t")
