"""What a topology file needs of its surroundings, looked at before anything starts.

Modules are imported in a throwaway process with a time limit, so that whatever they do at import
is done to that process; host ports are bound and given back. Mistakes are reported at their
place in the file, like those that reading the file finds.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from netsim.core.errors import InvalidFileError, Problem
from netsim.topology.plan import NetworkPlan, NodePlan, PortPlan
from netsim.topology.yaml_source import PathTo, YamlSource, read_yaml

IMPORT_TIMEOUT: Final = 10.0
"""Seconds that all modules of a file together get to be imported."""
_OWN: Final = "netsim."
"""Our own modules need no look."""


def check_surroundings(file: str, plan: NetworkPlan) -> None:
    """InvalidFileError unless every module can be had and every host port is free."""
    wrong = [*_module_mistakes(plan), *_port_mistakes(plan)]
    if wrong:
        source = read_yaml(file)
        problems = {
            Problem(source.file, *_place(source, node, path), message)
            for node, path, message in wrong
        }
        raise InvalidFileError(sorted(problems))


def _module_mistakes(plan: NetworkPlan) -> Iterator[tuple[NodePlan, PathTo, str]]:
    wanted: list[tuple[NodePlan, PathTo, str]] = []
    for node in plan.nodes:
        for service in node.services:
            if service.app is not None:
                wanted.append((node, ["services", service.port], service.app))
        if node.run is not None:
            wanted.append((node, ["run"], node.run.call))
    wanted = [each for each in wanted if not each[2].startswith(_OWN)]
    if not wanted:
        return
    reasons = _look_up({reference for _, _, reference in wanted}, Path(plan.file).parent)
    for node, path, reference in wanted:
        reason = reasons.get(reference, f"{reference} was not imported within {IMPORT_TIMEOUT:g} s")
        if reason is not None:
            yield node, path, f"{reason}; write `module:attr` of something that can be imported"


def _look_up(references: set[str], folder: Path) -> dict[str, str | None]:
    """Why each cannot be had, None where it can; those that time ran out for are missing."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "netsim.runtime.lookup", str(folder), *sorted(references)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=IMPORT_TIMEOUT,
            check=False,
        )
        output, ended = done.stdout, f"ended the process (exit code {done.returncode})"
    except subprocess.TimeoutExpired as error:
        output, ended = error.stdout or b"", None
    reasons: dict[str, str | None] = {}
    for line in output.splitlines():
        reasons |= json.loads(line)
    for reference in sorted(references - reasons.keys())[:1] if ended is not None else []:
        # They are looked up in this order: the first without an answer is the one that did it.
        reasons[reference] = f"{reference}: its import {ended}"
        reasons |= dict.fromkeys(references - reasons.keys())
    return reasons


def _port_mistakes(plan: NetworkPlan) -> Iterator[tuple[NodePlan, PathTo, str]]:
    for node in plan.nodes:
        for index, port in enumerate(node.ports):
            if port.listen_port and (reason := _cannot_listen(port)):
                place = f"{port.listen_host}:{port.listen_port}"
                hint = "write another port, or 0 for a free one"
                yield node, ["ports", index], f"cannot listen on {place}: {reason}; {hint}"


def _cannot_listen(port: PortPlan) -> str | None:
    family = socket.AF_INET6 if ":" in port.listen_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((port.listen_host, port.listen_port))
            sock.listen()
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return None


def _place(source: YamlSource, node: NodePlan, path: PathTo) -> tuple[int, int]:
    """Where the words stand: at the node, else at its kind."""
    nodes = source.data["nodes"]
    # `lab-3` is written as `lab` with a count.
    name = node.name if node.name in nodes else node.name.rpartition("-")[0]
    if isinstance(nodes.get(name), dict) and path[0] in nodes[name]:
        return source.locate(["nodes", name, *path])
    return source.locate(["kinds", node.kind, *path])
