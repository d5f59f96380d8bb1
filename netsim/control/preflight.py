"""What a topology file needs of this machine, looked at before anything starts.

Modules are imported in a throwaway process with a time limit, so that whatever they do at import
is done to that process; host ports are bound and given back. Mistakes are reported at their
place in the file, like those that reading the file finds.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from netsim.control.program_lookup import TOO_LATE, Wanted
from netsim.control.state_directory import running
from netsim.core.errors import MOST_PROBLEMS, InvalidFileError, Problem
from netsim.gateway.real_ports import PublishedPortError, bind, listen
from netsim.interception.registers import not_installed
from netsim.realtime.tap_device import TapError, open_tap
from netsim.site.certificates import MISSING, can_be_made
from netsim.topology.places_in_file import place_of
from netsim.topology.plan import NetworkPlan, NodePlan, PublishedPortPlan
from netsim.topology.yaml_source import PathTo, YamlSource, read_yaml

IMPORT_TIMEOUT: Final = 10.0
"""Seconds that all modules of a file together get to be imported."""
_MORE: Final = 5.0
"""Seconds for what that process needs itself; then it is ended: it may hang in C code."""
_OWN: Final = "netsim.services.httpbin:create_app"
"""This needs no look, which takes longer than all else, only what is given to it."""
_HINT: Final = "write `module:attr` of something that can be imported"


def check_programs_and_ports(
    file: str, plan: NetworkPlan, source: YamlSource | None = None
) -> None:
    """InvalidFileError unless programs and TAP devices can be had and host ports are free.

    `source` is what is in the file, where that is known.
    """
    wrong = [
        *_package_mistakes(plan),
        *_module_mistakes(plan),
        *_tls_mistakes(plan),
        *_port_mistakes(plan),
        *_tap_mistakes(plan),
    ]
    _raise_if_any(file, wrong, source)


def check_ports(file: str, plan: NetworkPlan) -> None:
    """InvalidFileError unless host ports are free."""
    _raise_if_any(file, list(_port_mistakes(plan)))


def _raise_if_any(
    file: str,
    wrong: Sequence[tuple[NodePlan | None, PathTo, str]],
    source: YamlSource | None = None,
) -> None:
    """Mistakes of nodes, and of none."""
    if wrong:
        source = source or read_yaml(file)
        found = {
            (*(source.locate(path) if node is None else place_of(source, node, path)), message)
            for node, path, message in wrong
        }
        first = heapq.nsmallest(MOST_PROBLEMS, found)
        problems = [Problem(source.file, *each) for each in first]
        raise InvalidFileError(problems, len(found) - len(first))


def _package_mistakes(plan: NetworkPlan) -> Iterator[tuple[None, PathTo, str]]:
    for index, package in enumerate(plan.own_packages):
        if (mistake := not_installed(package)) is not None:
            yield None, ["own_packages", index], mistake


def _tap_mistakes(plan: NetworkPlan) -> Iterator[tuple[NodePlan, PathTo, str]]:
    for node in plan.nodes:
        if node.tap is not None:
            try:
                os.close(open_tap(node.tap))
            except TapError as error:
                yield node, ["attach"], str(error)


def _tls_mistakes(plan: NetworkPlan) -> Iterator[tuple[NodePlan, PathTo, str]]:
    if not can_be_made():
        for node in plan.nodes:
            for service in node.services:
                if service.tls:
                    yield node, ["services", service.port, "tls"], MISSING


def _module_mistakes(plan: NetworkPlan) -> Iterator[tuple[NodePlan, PathTo, str]]:
    places: list[tuple[NodePlan, PathTo, Wanted]] = []
    for node in plan.nodes:
        for service in node.services:
            if service.reference is not None:
                role = service.interface or "app"
                wanted = Wanted(service.reference, role, tuple(sorted(service.args)))
                places.append((node, ["services", service.port], wanted))
        for index, program in enumerate(node.run):
            wanted = Wanted(program.call, "run", tuple(sorted(program.args)))
            places.append((node, ["run", index], wanted))
        if isinstance(node.ready, str):
            places.append((node, ["ready"], Wanted(node.ready, "run", ())))
    places = [each for each in places if each[2].args or each[2].reference != _OWN]
    if not places:
        return
    reasons = _look_up({wanted for _, _, wanted in places}, Path(plan.file).parent)
    for node, path, wanted in places:
        late = f"{wanted.reference} was not imported within {IMPORT_TIMEOUT:g} s; {_HINT}"
        reason = reasons.get(wanted, late)
        if reason is not None:
            yield node, path, reason


def _look_up(places: set[Wanted], folder: Path) -> dict[Wanted, str | None]:
    """What is wrong with each, None where nothing is; those that time ran out for are missing."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    looks = [sys.executable, "-m", "netsim.control.program_lookup"]
    command = [*looks, str(folder), f"{IMPORT_TIMEOUT:g}"]
    ordered = sorted(places)
    try:
        done = subprocess.run(
            command,
            env=environment,
            input=json.dumps(ordered).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=IMPORT_TIMEOUT + _MORE,
            check=False,
        )
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        output, code = error.stdout or b"", None
    # The answers come in the same order: the first that is missing is the one that did it.
    answers = [json.loads(line) for line in output.splitlines()]
    reasons: dict[Wanted, str | None] = dict(zip(ordered, answers, strict=False))
    if code not in (None, TOO_LATE):
        for wanted in ordered[len(answers) :][:1]:
            ended = f"its import ended the process (exit code {code})"
            reasons[wanted] = f"{wanted.reference}: {ended}; {_HINT}"
    if code is not None:
        reasons |= dict.fromkeys(ordered[len(reasons) :])
    return reasons


def _port_mistakes(plan: NetworkPlan) -> Iterator[tuple[NodePlan, PathTo, str]]:
    for node in plan.nodes:
        for index, port in enumerate(node.ports):
            if port.listen_port and (refusal := _cannot_listen(port)):
                place = f"{port.listen_host}:{port.listen_port}"
                hint = "write another port, or 0 for a free one"
                holder = _network_at(place)
                if holder is None:
                    message = f"{refusal}; {hint}"
                else:
                    message = f"{place} is in use by the network {holder}; {hint}"
                yield node, ["ports", index], message


def _network_at(place: str) -> str | None:
    """The running network that listens there, or on all addresses."""
    everywhere = f"0.0.0.0:{place.rpartition(':')[2]}"
    for state in running():
        ports = state.summary().get("ports", [])
        if any(port["listen"] in (place, everywhere) for port in ports):
            return state.name
    return None


def _cannot_listen(port: PublishedPortPlan) -> str | None:
    try:
        with bind(port.listen_host, port.listen_port) as bound:
            listen(bound)
    except PublishedPortError as error:
        return str(error)
    return None
