"""What `scripts/fuzz` runs: `fuzz_targets.py TARGET [libFuzzer options]`.

An input of the node targets is a program of steps (`tests/fuzz/attack.py`) in bytes, such that
any bytes are one. Its seeds are frames that really passed. `--write-seeds FOLDER` writes them.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "fuzz")]

with atheris.instrument_imports(include=["netsim"], enable_loader_override=False):
    from attack import (
        TARGETS,
        Act,
        Attack,
        Fragments,
        Mutated,
        Options,
        Raw,
        Readdressed,
        Segment,
        Step,
        Target,
        Wait,
    )
    from memory_network import MemoryNetwork

    from netsim import InvalidFileError
    from netsim.core.time import MILLISECOND
    from netsim.topology.load_topology import load_plan
    from netsim.wire import arp, ethernet, icmp, ipv4, ipv4_options, tcp, udp
    from netsim.wire.checksum import internet_checksum
    from netsim.wire.wire_error import WireError

MOST_STEPS = 64
RAW, WAIT, MUTATED, FRAGMENTS, SEGMENT, ACT, OPTIONS, READDRESSED = range(8)


class Reader:
    """Takes numbers and bytes off an input; behind its end are zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, count: int) -> bytes:
        """At most `count` bytes."""
        start = self._position
        self._position += count
        return self._data[start : self._position]

    def number(self, octets: int = 1) -> int:
        """An unsigned number."""
        return int.from_bytes(self.take(octets), "big")

    def offset(self) -> int:
        """A signed number of up to 32 bits, small ones in most cases."""
        scale = self.number() % 4
        return int.from_bytes(self.take(2), "big", signed=True) << (0, 0, 4, 16)[scale]


def steps_of(data: bytes) -> list[Step]:
    """The program that an input is."""
    reader = Reader(data)
    steps: list[Step] = []
    while reader and len(steps) < MOST_STEPS:
        steps.append(_step(reader))
    return steps


def _step(reader: Reader) -> Step:
    number = reader.number
    match number() % 8:
        case 0:
            return Raw(number(), reader.take(number(2)))
        case 1:
            return Wait(1000 << number() % 29)
        case 2:
            where, recent, shape = number(), number(), number()
            bits = tuple(number(2) for _ in range(shape & 3))
            cut = number() if shape & 4 else None
            tail = reader.take(number() % 32) if shape & 8 else b""
            mend = ("nothing", "checksums", "lengths", "checksums")[shape >> 4 & 3]
            return Mutated(where, recent, bits, cut, tail, mend)
        case 3:
            where, recent, shape = number(), number(), number()
            pieces = tuple(_piece(reader) for _ in range(1 + (shape & 7)))
            return Fragments(where, recent, shape >> 3 & 3, pieces)
        case 4:
            connection, flags, shape = number(), number(), number()
            offsets = [reader.offset() if shape & 1 << n else 0 for n in range(3)]
            window = number(2) if shape & 8 else 1000
            options = reader.take(number() % 41) if shape & 16 else b""
            payload = bytes(number(2) % 1400) if shape & 32 else b""
            sequence, acknowledgement, timestamp = offsets
            return Segment(
                connection, flags, sequence, acknowledgement, window, timestamp, options, payload
            )
        case 5:
            return Act(number(), number(2) % 5000)
        case 6:
            return Options(number(), number(), reader.take(number() % 41))
        case _:
            return Readdressed(number(), number(), number(), number(), bool(number() & 1))


def _piece(reader: Reader) -> tuple[int, int, bool]:
    """A fragment near the beginning or far from it, of whole units or not."""
    start, units, shape = reader.number(), reader.number(), reader.number()
    surplus = shape >> 3 & 7 if shape & 4 else 0
    return start << 5 if shape & 2 else start, units % 180 * 8 + surplus, bool(shape & 1)


def attack(target: Target) -> Callable[[bytes], None]:
    """Play it against a node of that kind."""

    def run(data: bytes) -> None:
        game = Attack(target)
        game.play(steps_of(data))
        game.check()
        assert game.recovers(), "the network does not recover"
        game.check()

    return run


def parse(data: bytes) -> None:
    """Parsers raise nothing but WireError, and what they took packs to what they took."""
    which, body = data[0] if data else 0, data[1:]
    kind = which % 8
    if which < 0x80:
        body = with_checksum(kind, body)
    try:
        match kind:
            case 0:
                ethernet.parse_header(body)
            case 1:
                assert arp.parse(body, 0).pack() == body[:28]
            case 2:
                header = ipv4.parse(body)
                assert ipv4.parse(header.pack() + body[header.header_length :]) == header
            case 3:
                quoted = ipv4.parse_quoted(body)
                assert quoted.header_length == (body[0] & 15) * 4 <= len(body) - 8
            case 4:
                message = icmp.parse(body)
                assert icmp.parse(message.pack()) == message
            case 5:
                datagram = udp.parse(body, 0)
                ports = datagram.source_port, datagram.destination_port
                assert udp.parse(udp.pack(*ports, datagram.payload, 0), 0) == datagram
            case 6:
                segment = tcp.parse(body, 0)
                if len(segment.pack_options()) <= tcp.MAX_OPTIONS:
                    assert tcp.parse(segment.pack(0), 0) == segment
            case _:
                parse_options(body[: len(body) & ~3][:40])
    except WireError as error:
        reason = error.reason
    else:
        return
    assert re.fullmatch("[a-z0-9-]+", reason)


def parse_options(options: bytes) -> None:
    """Those of IPv4, whole words of them."""
    kinds = ipv4_options.verify(options)
    recorded = ipv4_options.record(options, b"here")
    assert len(recorded) == len(options)
    assert ipv4_options.verify(recorded) == kinds
    before, after = map(ipv4_options.recorded_route, (options, recorded))
    assert len(after) - len(before) in (0, 1)
    for part in (
        ipv4_options.of_later_fragments(options),
        *(ipv4_options.only(options, kind) for kind in kinds),
    ):
        assert len(part) <= len(options) + 3
        ipv4_options.verify(part)


def with_checksum(kind: int, data: bytes) -> bytes:
    """With the right one, which no fuzzer guesses, so that `parse` looks at the rest. Of the
    pseudo-header it has the length."""
    size, initial = len(data), 0
    match kind:
        case 2 if data:
            at, size = 10, (data[0] & 15) * 4
        case 4:
            at = 2
        case 5:
            at = 6
            size = initial = int.from_bytes(data[4:6], "big")
        case 6:
            at, initial = 16, size
        case _:
            return data
    if not at + 2 <= size <= len(data):
        return data
    unsummed = data[:at] + bytes(2) + data[at + 2 :]
    checksum = internet_checksum(unsummed[:size], initial)
    return data[:at] + checksum.to_bytes(2, "big") + data[at + 2 :]


def load(data: bytes) -> None:
    """A topology file gives a network that starts, or mistakes of one line each with a place."""
    if data[:1] == b"\0":
        data = bent_topology(Reader(data[1:]))
    with tempfile.NamedTemporaryFile(suffix=".yaml", dir=SCRATCH) as file:
        file.write(data)
        file.flush()
        try:
            plan = load_plan(file.name)
        except InvalidFileError as error:
            problems = error.problems
        else:
            if len(plan.nodes) <= MOST_NODES:
                MemoryNetwork(plan).run_until(MILLISECOND)
            return
    assert problems
    for problem in problems:
        assert problem.line >= 1, problem
        assert problem.column >= 1, problem
        assert str(problem).isprintable(), problem


def bent_topology(reader: Reader) -> bytes:
    """A good topology in which some values are others, or gone."""
    topology = copy.deepcopy(GOOD[reader.number() % len(GOOD)])
    for _ in range(MOST_CHANGES):
        places = list(places_in(topology))
        if not reader or not places:
            break
        container, key = places[reader.number(2) % len(places)]
        what = reader.number() % (len(ODD) + 2)
        if what < len(ODD):
            container[key] = copy.deepcopy(ODD[what])
        elif what == len(ODD):
            other, other_key = places[reader.number(2) % len(places)]
            container[key] = copy.deepcopy(other[other_key])
        else:
            del container[key]
    return json.dumps(topology).encode()


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) in a tree of mappings and lists."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places_in(value[key])


MOST_NODES = 60
MOST_CHANGES = 6
GOOD: list[Any] = [
    *(yaml.safe_load(file.read_text()) for file in sorted(ROOT.glob("topologies/*.yaml"))),
    {
        "defaults": {"link": {"bandwidth": "1gbit", "delay": "200us"}},
        "kinds": {"computer": {"env": {"A": "b"}}},
        "addressing": {"pool": "10.0.0.0/8"},
        "nodes": {
            "a": {"kind": "computer", "address": "10.0.1.5/24", "gateway": "10.0.1.1"},
            "b": {"kind": "computer", "count": "3"},
            "s": {"kind": "switch"},
            "r": {"kind": "router", "routes": [{"to": "10.9.0.0/16", "via": "10.0.1.5"}]},
        },
        "links": [
            ["a", "s"],
            ["b", "s"],
            {"endpoints": ["s", "r:eth0"], "loss": "1%", "egress": {"r": {"mtu": "1400"}}},
        ],
    },
]
ODD: list[Any] = [
    *("", "x", "-", "no", "~", "web", "lab", "lab-1", "a", "r1", "s1:eth0", "r:eth0", "../x"),
    *("0", "-1", "1", "68", "67", "65535", "65536", "1e9", "100000000", ".nan", "0x10", 3, 1.5),
    *("10.0.3.10/24", "10.0.3.10/31", "10.0.3.10/32", "0.0.0.0/0", "10.0.3.0/24", "10.0.3.255/24"),
    *("255.255.255.255/8", "127.0.0.1/8", "224.0.0.1/4", "fd00::1/64", "10.0.1.1", "10.0.3.1"),
    *("0ms", "-1ms", "1ms", "9999999999s", "1bit", "0mbit", "100%", "101%", "0%", "1B", "64KiB"),
    *("127.0.0.1:0:web:80", "0.0.0.0:80:web:80", "[::1]:0:a:80", "127.0.0.1:99999:web:80"),
    *(None, True, [], {}, [[]], ["a"], ["a", "a"], ["a", "b", "s"], {"": ""}, {"kind": "router"}),
    *({"kind": "computer", "count": "2"}, {"files": "."}, {"endpoints": ["a", "r"]}),
]
SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None
RUN: dict[str, Callable[[bytes], None]] = {
    **{target: attack(target) for target in TARGETS},
    "wire": parse,
    "topology": load,
}


def seeds(target: str) -> list[bytes]:
    """Inputs to begin with."""
    if target == "topology":
        return (
            [file.read_bytes() for file in sorted(ROOT.glob("topologies/*.yaml"))]
            + [
                text.encode()
                for text in re.findall(
                    r"(?s)```yaml\n(.*?)```", (ROOT / "docs" / "topology.md").read_text()
                )
            ]
            + [
                bytes((0, which, 0, place, odd))
                for which in range(len(GOOD))
                for odd in range(len(ODD))
                for place in range(odd % 7, 30, 7)
            ]
        )
    if target == "wire":
        routes = [b"\7" + ipv4_options.record_route(slots) for slots in range(10)]
        stamped = b"\7" + ipv4_options.record_route(1) + bytes((68, 8, 5, 0, 0, 0, 0, 0))
        frames = real_frames("computer")
        return [stamped, *routes, *(seed for frame in frames for seed in parser_seeds(frame))]
    assert target in TARGETS
    frames = [
        bytes((RAW, where)) + len(frame).to_bytes(2, "big") + frame
        for frame in real_frames(target)
        for where in (0, 1)
    ]
    programs = [
        *(bytes((MUTATED, 0, recent, 0x13, 0, 180, 1, 20)) for recent in range(8)),
        *(bytes((FRAGMENTS, 0, recent, 1, 0, 1, 1, 1, 180, 0)) for recent in range(8)),
        *(
            bytes((OPTIONS, 0, recent, 4 + len(route))) + route + bytes((68, 4, 5, 0))
            for recent in range(4)
            for route in map(ipv4_options.record_route, (0, 1, 9))
        ),
        *(bytes((OPTIONS, 0, recent, 4, 1, 1, 1, 7)) for recent in range(4)),
        *(
            bytes((READDRESSED, 0, recent, source, 7 * source + recent, 0))
            for recent in range(4)
            for source in range(12)
        ),
        *(bytes((SEGMENT, n, flags, 63)) for n in range(4) for flags in (2, 4, 16, 17, 18, 24)),
        *(bytes((ACT, what, 4, 0)) for what in range(len(Attack.ACTS))),
        *(bytes((WAIT, scale)) for scale in range(14, 29)),
    ]
    return [*frames, *programs, b"".join(frames[::2]), b"".join(programs)]


def parser_seeds(frame: bytes) -> list[bytes]:
    """The layers of a frame for `parse`."""
    layers = [b"\0" + frame]
    if frame[12:14] == b"\x08\x06":
        layers.append(b"\1" + frame[14:])
    elif frame[12:14] == b"\x08\x00":
        payload = frame[34:]
        layers += [b"\2" + frame[14:], b"\3" + frame[14:]]
        layers.append({1: b"\4", 17: b"\5", 6: b"\6"}[frame[23]] + payload)
    return layers


def real_frames(target: Target) -> list[bytes]:
    """Each kind of frame that passed while nobody attacked, once."""
    kinds = {
        (frame[12:14], frame[23:24], frame[34:36], len(frame)): frame
        for frame in Attack(target).recent
    }
    return list(kinds.values())


def write_seeds(target: str, folder: Path) -> None:
    for number, seed in enumerate(seeds(target)):
        (folder / f"seed-{number:03}").write_bytes(seed)
    if target == "topology":
        text = b"".join(file.read_bytes() for file in ROOT.glob("topologies/*.yaml")).decode()
        words = {
            *re.findall(r"[a-z_]{2,}:?|[0-9.]+[a-zKM%]*", text),
            "- ",
            ": ",
            "\\x0a",
            "{",
            "&",
            "*",
        }
        lines = "".join(f'"{word}"\n' for word in sorted(words))
        folder.with_suffix(".words").write_text(lines)


def main() -> None:
    target, *options = sys.argv[1:]
    if options[:1] == ["--write-seeds"]:
        write_seeds(target, Path(options[1]))
        return
    warnings.simplefilter("error")
    atheris.Setup([sys.argv[0], *options], RUN[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
