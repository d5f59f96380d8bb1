"""Names in a scenario, held against its topology and the modules beside it.

It looks at what is written, not at checked words: so one misspelled word elsewhere hides no wrong
name. What has not even the form of a name was reported by the vocabulary.
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Collection, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from netsim.core.errors import InvalidFileError, InvalidFilterError, InvalidValueError
from netsim.observe.capture_filter import parse_filter
from netsim.scenario.check_words import CHECKS
from netsim.scenario.scenario_modules import missing_module
from netsim.scenario.step_text import endpoint_text
from netsim.scenario.step_values import call
from netsim.scenario.step_values import link as parse_link
from netsim.topology.checked_topology import Link, Topology
from netsim.topology.findings import Findings
from netsim.topology.kinds import KINDS
from netsim.topology.naming import suggest
from netsim.topology.trace_file import TraceFiles
from netsim.topology.values import Endpoint, endpoint
from netsim.topology.yaml_source import PathTo

HOSTS: Final = tuple(kind for kind, traits in KINDS.items() if traits.has_stack)
"""Kinds of nodes that have an address."""
RUNNING_PROGRAMS: Final = tuple(kind for kind, traits in KINDS.items() if traits.runs_programs)
ROUTERS: Final = tuple(kind for kind, traits in KINDS.items() if traits.forwards)

_BETWEEN_HOSTS: Final = (
    "drop",
    "reset_connections",
    "cut_connections",
    "stall_connections",
    "slow_close",
    "refuse_connections",
)
"""Steps that name two ends, of which `from` may be left out in most."""


def check_names(
    written: Mapping[str, Any], topology: Topology, folder: Path, findings: Findings
) -> None:
    """Report every name in the scenario that its topology, or `folder`, does not have."""
    checker = _Checker(topology, folder, findings)
    for section in ("steps", "invariants", "sometimes"):
        checker.steps(written.get(section), (section,))
    for index, fault in enumerate(_list(written.get("faults"))):
        if isinstance(fault, dict):
            checker.fault(fault, ("faults", index))
    explore = written.get("explore")
    faults = explore.get("faults") if isinstance(explore, dict) else None
    if isinstance(faults, dict):
        path = ("explore", "faults")
        for index, link in enumerate(_list(faults.get("links"))):
            checker.link(link, (*path, "links", index))
        for index, node in enumerate(_list(faults.get("nodes"))):
            checker.node(node, (*path, "nodes", index))


class _Checker:
    def __init__(self, topology: Topology, folder: Path, findings: Findings) -> None:
        self._folder = folder
        self._traces = TraceFiles(Path(topology.file).parent)
        self._nodes = topology.layout.nodes
        self._links: dict[frozenset[str], list[Link]] = {}
        for link in topology.layout.links:
            self._links.setdefault(frozenset((link.a.node, link.b.node)), []).append(link)
        self._spelled = {name.lower(): name for name in self._nodes}
        self._interfaces = topology.layout.interfaces()
        self._domain = topology.domain
        self._findings = findings
        self._verbs: dict[str, Callable[[dict[str, Any], PathTo], None]] = {
            "http": self._http,
            "ping": self._between_hosts,
            "path": self._path,
            "dns": self._between_hosts,
            "transfer": self._transfer,
            "run": self._run,
            "partition": lambda words, path: self._groups(words, path),
            "isolate": lambda words, path: self._groups(words, path, HOSTS),
            **dict.fromkeys(_BETWEEN_HOSTS, self._two_hosts),
            **dict.fromkeys(("kill_program", "pause", "resume"), self._computer),
            "capture": self._watched,
            "record": self._watched,
            "set": self._set,
            "repeat": lambda words, path: self.steps(words.get("steps"), (*path, "steps")),
            "always": self._always,
        }

    def steps(self, steps: object, path: PathTo) -> None:
        """The names in a list of steps."""
        for index, step in enumerate(_list(steps)):
            if isinstance(step, dict):
                self._step(step, (*path, index))

    def fault(self, fault: dict[str, Any], path: PathTo) -> None:
        """The names in a fault that comes beside the steps."""
        self._step({kind: words for kind, words in fault.items() if isinstance(words, dict)}, path)

    def _step(self, step: dict[str, Any], path: PathTo) -> None:
        for verb, words in step.items():
            place = (*path, verb)
            if verb == "parallel":
                self.steps(words, place)
            elif verb == "eventually" and isinstance(words, dict):
                self._step({key: words[key] for key in CHECKS if key in words}, place)
            elif isinstance(words, dict):
                if "link" in words:
                    self._link_fault(words, place)
                if "node" in words:
                    self.node(words["node"], (*place, "node"))
                if verb in self._verbs:
                    self._verbs[verb](words, place)

    def _set(self, words: dict[str, Any], path: PathTo) -> None:
        """The file of a recorded bandwidth."""
        written = words.get("bandwidth")
        file = written.get("file") if isinstance(written, dict) else None
        if not isinstance(file, str):
            return
        try:
            self._traces.read(file)
        except InvalidValueError as error:
            self._findings.report((*path, "bandwidth", "file"), str(error))
        except InvalidFileError as error:
            self._findings.report_elsewhere(error)

    # One word

    def node(self, name: object, path: PathTo, kinds: Collection[str] = ()) -> bool:
        """Whether there is such a node, of one of these kinds."""
        if isinstance(name, int):
            name = str(name)
        if not isinstance(name, str):
            return False
        node = self._nodes.get(name)
        if node is not None and (not kinds or node.kind in kinds):
            return True
        fitting = (each.name for each in self._nodes.values() if each.kind in kinds or not kinds)
        if node is None:
            hint = self._findings.suggest(name, [] if self._findings.is_full else list(fitting))
            self._findings.report(path, f"there is no node `{name}`; {hint}")
            return False
        wanted = " or ".join(kinds)
        some = ", ".join(f"`{each}`" for each in islice(fitting, 4))
        message = f"`{name}` is a {node.kind}, not a {wanted}; write for example {some}"
        self._findings.report(path, message)
        return False

    def link(self, written: object, path: PathTo) -> tuple[Endpoint, Endpoint] | None:
        """The ends of a link that there is, and once."""
        try:
            ends = parse_link(written)
        except ValueError:
            return None
        known = [self._end(end, (*path, place)) for place, end in enumerate(ends)]
        if not all(known):
            return None
        between = self._links.get(frozenset(node for node, _ in ends), [])
        found = [link for link in between if _joins(link.a, link.b, *ends)]
        if len(found) == 1:
            return ends
        shown = " and ".join(f"`{endpoint_text(end)}`" for end in ends)
        if found:
            one = found[0]
            hint = f"`[{one.a.node}:{one.a.interface}, {one.b.node}:{one.b.interface}]`"
            message = f"{len(found)} links join {shown}; write one of them, for example {hint}"
        else:
            hint = "" if self._findings.is_full else f"; {self._links_of(ends[0][0])}"
            message = f"no link joins {shown}{hint}"
        self._findings.report(path, message)
        return None

    def _links_of(self, node: str) -> str:
        pairs = [
            f"[{node}, {(link.b if link.a.node == node else link.a).node}]"
            for nodes, links in self._links.items()
            if node in nodes
            for link in links
        ]
        some = [f"`{pair}`" for pair in dict.fromkeys(pairs)][:4]
        return f"write {' or '.join(some)}" if some else "write two nodes that a link joins"

    def _end(self, end: Endpoint, path: PathTo) -> bool:
        node, interface = end
        if not self.node(node, path):
            return False
        known = self._interfaces[node]
        if interface is None or interface in known:
            return True
        hint = suggest(interface, known)
        self._findings.report(path, f"`{node}` has no interface `{interface}`; {hint}")
        return False

    def _host(self, name: object, path: PathTo) -> None:
        """A node's name, with or without the domain, or an address."""
        if not isinstance(name, str) or _is_address(name):
            return
        # Names resolve in any case; a URL has lost it.
        short = name.lower().removesuffix(f".{self._domain}")
        if "." not in short:
            self.node(self._spelled.get(short, name), path, HOSTS)
            return
        nodes = () if self._findings.is_full else self._nodes
        known = [f"{node}.{self._domain}" for node in nodes]
        hint = self._findings.suggest(name, known)
        self._findings.report(path, f"no node is called `{name}`; {hint}")

    # One step

    def _between_hosts(self, words: dict[str, Any], path: PathTo) -> None:
        self.node(words.get("from"), (*path, "from"), HOSTS)
        self._host(words.get("to"), (*path, "to"))

    def _http(self, words: dict[str, Any], path: PathTo) -> None:
        self.node(words.get("from"), (*path, "from"), HOSTS)
        expected = words.get("expect")
        if isinstance(expected, dict) and "error" in expected:
            return  # a name that is not there may be the point
        try:
            self._host(urlsplit(words.get("url", "")).hostname, (*path, "url"))
        except (ValueError, AttributeError, TypeError):
            return

    def _path(self, words: dict[str, Any], path: PathTo) -> None:
        self._between_hosts(words, path)
        for index, name in enumerate(_list(words.get("expect"))):
            self.node(name, (*path, "expect", index), ROUTERS)

    def _transfer(self, words: dict[str, Any], path: PathTo) -> None:
        ends = [words.get(key) for key in ("from", "to")]
        for key, name in zip(("from", "to"), ends, strict=True):
            self.node(name, (*path, key), HOSTS)
        if ends[0] == ends[1] and ends[0] is not None:
            message = f"`{ends[0]}` sends to itself; write two different nodes"
            self._findings.report((*path, "to"), message)

    def _run(self, words: dict[str, Any], path: PathTo) -> None:
        self.node(words.get("host"), (*path, "host"), HOSTS)
        try:
            missing = missing_module(call(words.get("call")), self._folder)
        except ValueError:
            return
        if missing is not None:
            message = f"there is no module `{missing}`; write one that lies beside this file"
            self._findings.report((*path, "call"), f"{message}, or is installed")

    def _link_fault(self, words: dict[str, Any], path: PathTo) -> None:
        ends = self.link(words["link"], (*path, "link"))
        origin = words.get("from")
        if ends is not None and isinstance(origin, str) and origin not in {end[0] for end in ends}:
            names = " or ".join(f"`{end[0]}`" for end in ends)
            message = f"`{origin}` is no end of this link; write {names}"
            self._findings.report((*path, "from"), message)

    def _two_hosts(self, words: dict[str, Any], path: PathTo) -> None:
        for key in ("from", "to"):
            self.node(words.get(key), (*path, key), HOSTS)

    def _computer(self, words: dict[str, Any], path: PathTo) -> None:
        if words.get("node") in self._nodes:
            self.node(words["node"], (*path, "node"), RUNNING_PROGRAMS)

    def _groups(self, words: dict[str, Any], path: PathTo, kinds: Collection[str] = ()) -> None:
        for place, group in enumerate(_list(words.get("between"))):
            for index, name in enumerate(_list(group)):
                self.node(name, (*path, "between", place, index), kinds)

    def _watched(self, words: dict[str, Any], path: PathTo) -> None:
        at = words.get("at")
        places = {(*path, "at", place): each for place, each in enumerate(_list(at))}
        for place, written in (places or {(*path, "at"): at}).items():
            with contextlib.suppress(ValueError):
                self._end(endpoint(written), place)
        if isinstance(only := words.get("filter"), str):
            self._filter(only, (*path, "filter"))
        to = words.get("to")
        if isinstance(to, str) and "\0" not in to and not (self._folder / to).parent.is_dir():
            message = f"there is no folder `{Path(to).parent}`; make it, or write another path"
            self._findings.report((*path, "to"), message)

    def _filter(self, written: str, path: PathTo) -> None:
        """Of a capture. Addresses are not known yet, and names are all that is looked at."""
        hosts = [name.lower() for name, node in self._nodes.items() if node.kind in HOSTS]
        known = (*hosts, *(f"{name}.{self._domain}" for name in hosts))
        try:
            parse_filter(written, dict.fromkeys(known, (bytes(4),)))
        except InvalidFilterError as error:
            for mistake in error.mistakes:
                self._findings.report(path, mistake.message)

    def _always(self, words: dict[str, Any], path: PathTo) -> None:
        self.steps(words.get("steps"), (*path, "steps"))
        meanwhile = words.get("while")
        if isinstance(meanwhile, dict):
            self._step(meanwhile, (*path, "while"))
        else:
            self.steps(meanwhile, (*path, "while"))


def _joins(a: Endpoint, b: Endpoint, first: Endpoint, second: Endpoint) -> bool:
    return any(_is(one, first) and _is(other, second) for one, other in ((a, b), (b, a)))


def _is(end: Endpoint, written: Endpoint) -> bool:
    return end[0] == written[0] and written[1] in (None, end[1])


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _list(written: object) -> list[Any]:
    return written if isinstance(written, list) else []
