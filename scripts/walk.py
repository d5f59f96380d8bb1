"""Walks with `sys.setprofile` through what happens, call by call.

    scripts/walk request    an HTTP request: from `write` on alice to `data_received` on web
    scripts/walk link       `link r1 r2 --down`, until the routes follow

Counted are calls of netsim's own Python functions. The request goes over an open connection,
alice – s1 – r1 – web; the way is shown to the first cable, and from the last one to the program.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from itertools import groupby, pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from checkouts import ROOT, checkout

SCRIPTS = Path(__file__).resolve().parent
FLOOR = ("core/", "wire/", "link/", "stack/", "switching/", "node/")
"""Rooms of protocol code."""
REQUEST = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
CAMPUS = ROOT / "topologies" / "campus.yaml"
VERBOSE = os.environ.get("WALK_EVERY_CALL") == "1"
QUIET = 0.1
"""Seconds on the wall without a call: what comes after began elsewhere."""


class Call(NamedTuple):
    """One call."""

    file: str
    name: str
    depth: int
    at: float


class Recorder:
    """Writes down every call of a function of netsim in this thread."""

    def __init__(self) -> None:
        self._root = f"{Path(find_spec('netsim').origin).parent}{os.sep}"
        self._depth = 0
        self.calls: list[Call] = []

    def start(self) -> None:
        """From the next call on, and nothing of what was before."""
        self.calls = []
        sys.setprofile(self._see)

    def stop(self) -> None:
        """No more."""
        sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self._depth += 1
            code = frame.f_code
            if code.co_filename.startswith(self._root):
                file = code.co_filename.removeprefix(self._root)
                self.calls.append(Call(file, code.co_qualname, self._depth, time.monotonic()))
        elif event == "return":
            self._depth -= 1


RECORDER = Recorder()
"""In virtual time alice and web share it, as they share the thread."""


# A request. These run on alice and on web.


class _Server(asyncio.Protocol):
    def __init__(self, done: asyncio.Future[None]) -> None:
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to look."""
        RECORDER.start()

    def data_received(self, data: bytes) -> None:
        """The end of the way."""
        RECORDER.stop()
        assert data == REQUEST
        self._done.set_result(None)


async def serve() -> list[Call]:
    """Runs on web: the calls up to `data_received`."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    server = await loop.create_server(lambda: _Server(done), "0.0.0.0", 80)
    await done
    server.close()
    return RECORDER.calls


async def ask() -> list[Call]:
    """Runs on alice: the calls that `write` leads to."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0.5)
    transport, _ = await loop.create_connection(asyncio.Protocol, "web", 80)
    await asyncio.sleep(0.5)
    done = loop.create_future()
    # The timer is there already: what setting it takes is no part of the way.
    loop.call_later(0.3, done.set_result, None)
    RECORDER.start()
    transport.write(REQUEST)
    await done
    RECORDER.stop()
    return RECORDER.calls


def to_the_cable(calls: list[Call]) -> list[Call]:
    """Up to and with the call that gives the frame to the first cable.

    A link gives out the frames that have left it (`dequeue`); what its caller then does with them
    is the cable's.
    """
    left = next(index for index, call in enumerate(calls) if call.name.endswith(".dequeue"))
    end = left + 1
    while end < len(calls) and (end == left + 1 or calls[end].depth > calls[left].depth):
        end += 1
    return calls[:end]


def from_the_cable(calls: list[Call]) -> list[Call]:
    """From the moment at which the frame comes."""
    begin = 0
    for index, (before, after) in enumerate(pairwise(calls), 1):
        if after.at - before.at > QUIET:
            begin = index
    return calls[begin:]


def last_arrival(calls: list[Call]) -> list[Call]:
    """From the last frame that comes to a node; in virtual time all nodes share the thread."""
    return calls[max(i for i, call in enumerate(calls) if call.name.endswith("Port.deliver")) :]


def small_network() -> Any:
    """alice – s1 – r1 – web."""
    import networkx

    kinds = {"alice": "computer", "s1": "switch", "r1": "router", "web": "computer"}
    graph: networkx.Graph[str] = networkx.path_graph(list(kinds))
    for name, kind in kinds.items():
        graph.nodes[name]["kind"] = kind
    for end in graph.edges:
        graph.edges[end].update(delay="1ms", bandwidth="1gbit")
    graph.graph["name"] = "walk"
    return graph


async def walk_request(time_: Any) -> None:
    """Print both parts of the way."""
    from netsim import Network

    async with Network(small_network(), time=time_) as network:
        at_web, at_alice = await asyncio.gather(
            network["web"].run(serve), network["alice"].run(ask)
        )
    way = to_the_cable(at_alice)
    show("from `write` to the first cable", way[:-1], way[-1])
    if time_ == "virtual":
        show("from the last cable to `data_received`", last_arrival(at_alice))
    else:
        show("from the last cable to `data_received`", from_the_cable(at_web))


# A link


async def walk_link(time_: Any) -> None:
    """Print what happens here; in real time the nodes' part is in their processes."""
    from netsim import Network

    file = Path(CAMPUS.name)  # in a folder of our own
    file.write_text(CAMPUS.read_text().replace(":8080:", ":0:"))  # any port that is free
    Path("site").symlink_to(CAMPUS.parent / "site")
    async with Network(file, time=time_) as network:
        await asyncio.sleep(0.5)
        RECORDER.start()
        await network.link("r1", "r2").down()
        RECORDER.stop()
        show("until `down` returns", RECORDER.calls)
        RECORDER.start()
        await asyncio.sleep(1)
        RECORDER.stop()
        show("until the routes have followed", to_the_event(RECORDER.calls))
        assert any("route" in str(event) for event in network.timeline), "routes have followed"


def to_the_event(calls: list[Call]) -> list[Call]:
    """Up to the event that tells of the routes: what comes after is done every so often."""
    told = max(i for i, call in enumerate(calls) if call.name == "EventHub.publish")
    return calls[: told + 1]


def show(title: str, calls: list[Call], cable: Call | None = None) -> None:
    """Every call with its file, and what they amount to."""
    every = [*calls, cable] if cable else calls
    print(f"\n{title}: {len(every)} calls, ", end="")
    print(f"{1 + sum(a.file != b.file for a, b in pairwise(every))} changes of file")
    count: dict[str, int] = {}
    for call in every:
        count[call.file] = count.get(call.file, 0) + 1
    above = [file for file in count if not file.startswith(FLOOR)]
    if cable is not None and count[cable.file] == 1:
        above.remove(cable.file)
        print(f"  above the protocol floor {len(above)} files, and the cable in {cable.file}:")
    else:
        print(f"  above the protocol floor {len(above)} files:")
    print(f"    {', '.join(above)}")
    print(f"  on the floor {sum(file.startswith(FLOOR) for file in count)} files")
    if not VERBOSE:
        return
    number = 1
    for (file, name), same in groupby(every, key=lambda call: call[:2]):
        times = len(list(same))
        print(f"  {number:4}  {file:36} {name}{f'  × {times}' if times > 1 else ''}")
        number += times


def main() -> None:
    """Walk, in the netsim of a checkout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["request", "link"], nargs="?", default="request")
    parser.add_argument("--time", choices=["real", "virtual"], default="real")
    parser.add_argument("--calls", action="store_true", help="print every call")
    parser.add_argument("--of", metavar="OTHER", help="of another commit, or checkout")
    options = parser.parse_args()
    with checkout(options.of or str(ROOT)) as source, tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{source}{os.pathsep}{SCRIPTS}",
            "WALK_EVERY_CALL": str(int(options.calls)),
        }
        program = f"import walk; walk.inside({options.what!r}, {options.time!r})"
        ended = subprocess.run([sys.executable, "-c", program], env=environment, cwd=folder)
    sys.exit(ended.returncode)


def inside(what: str, time_: str) -> None:
    """Walk in the netsim that this interpreter finds."""
    from netsim import run

    walk = walk_request if what == "request" else walk_link
    (run if time_ == "virtual" else asyncio.run)(walk(time_))


if __name__ == "__main__":
    main()
