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
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from netsim.control.program_lookup import TOO_LATE, Wanted
from netsim.control.state_directory import running
from netsim.core.errors import MOST_PROBLEMS, InvalidFileError, Problem
from netsim.gateway.real_ports import PublishedPortError, bind, listen
from netsim.interception.registers import not_installed
from netsim.realtime.tap_device import TapError, open_tap
from netsim.site.certificates import MISSING, can_be_made
from netsim.topology.check_topology import read_nodes
from netsim.topology.checked_topology import Node
from netsim.topology.findings import FileFindings
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
_Mistake: TypeAlias = tuple[Node | NodePlan | None, PathTo, str]
"""Of a node, or of none: where in its words, and what."""


def check_programs_and_ports(
    file: str, plan: NetworkPlan, source: YamlSource | None = None
) -> None:
    """InvalidFileError unless programs and TAP devices can be had and host ports are free.

    `source` is what is in the file, where that is known.
    """
    wrong = [*_package_mistakes(plan), *_mistakes_of(plan.nodes, Path(plan.file).parent)]
    _raise_if_any(file, wrong, source)


def check_ports(file: str, plan: NetworkPlan) -> None:
    """InvalidFileError unless host ports are free."""
    _raise_if_any(file, list(_port_mistakes(plan.nodes)))


def with_mistakes_of_programs(
    error: InvalidFileError, file: str, source: YamlSource | None = None
) -> InvalidFileError:
    """What is wrong in a file, and what is with the programs and ports in the rest of it."""
    if error.more:
        return error
    folder = Path(file).absolute().parent
    try:
        source = source or read_yaml(file, tolerant=True)
        nodes = read_nodes(source.data, FileFindings(source), folder)
    except InvalidFileError:  # all of it is in `error`
        return error
    if not isinstance(source.data.get("nodes"), dict):
        return error  # they stand elsewhere, as containerlab has them
    return _as_error(source, list(_mistakes_of(nodes, folder)), error.problems)


def _mistakes_of(nodes: Collection[Node | NodePlan], folder: Path) -> Iterator[_Mistake]:
    yield from _module_mistakes(nodes, folder)
    yield from _tls_mistakes(nodes)
    yield from _port_mistakes(nodes)
    yield from _tap_mistakes(nodes)


def _raise_if_any(file: str, wrong: Sequence[_Mistake], source: YamlSource | None = None) -> None:
    if wrong:
        raise _as_error(source or read_yaml(file), wrong)


def _as_error(
    source: YamlSource, wrong: Sequence[_Mistake], known: Sequence[Problem] = ()
) -> InvalidFileError:
    """Of these, and of what is known already."""
    found = {
        (*(source.locate(path) if node is None else place_of(source, node, path)), message)
        for node, path, message in wrong
    }
    every = {*known, *(Problem(source.file, *each) for each in found)}
    first = heapq.nsmallest(MOST_PROBLEMS, every)
    return InvalidFileError(first, len(every) - len(first))


def _package_mistakes(plan: NetworkPlan) -> Iterator[_Mistake]:
    for index, package in enumerate(plan.own_packages):
        if (mistake := not_installed(package)) is not None:
            yield None, ["own_packages", index], mistake


def _tap_mistakes(nodes: Collection[Node | NodePlan]) -> Iterator[_Mistake]:
    for node in nodes:
        if node.tap is not None:
            try:
                os.close(open_tap(node.tap))
            except TapError as error:
                yield node, ["attach"], str(error)


def _tls_mistakes(nodes: Collection[Node | NodePlan]) -> Iterator[_Mistake]:
    if not can_be_made():
        for node in nodes:
            for service in node.services:
                if service.tls:
                    yield node, ["services", service.port, "tls"], MISSING


def _module_mistakes(nodes: Collection[Node | NodePlan], folder: Path) -> Iterator[_Mistake]:
    places: list[tuple[Node | NodePlan, PathTo, Wanted]] = []
    for node in nodes:
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
    reasons = _look_up({wanted for _, _, wanted in places}, folder)
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


def _port_mistakes(nodes: Collection[Node | NodePlan]) -> Iterator[_Mistake]:
    for node in nodes:
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
