"""Blocking sockets in threads: the same programs in virtual and in real time."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Literal

import blocking_programs as programs
import pytest
from certificates import make_contexts

from netsim import Network, run

TOPOLOGY = """\
name: blocking
nodes: {alice: {kind: computer}, web: {kind: computer}}
links: [{endpoints: [alice, web], delay: 1ms}]
"""
Call = tuple[Callable[..., Coroutine[Any, Any, Any]], *tuple[str, ...]]
"""A program and its arguments."""


class Blocking:
    """A network in one of the two times."""

    def __init__(self, folder: Path, time: Literal["virtual", "real"]) -> None:
        self.folder = folder
        self.time = time
        (folder / "net.yaml").write_text(TOPOLOGY)
        shutil.copy(programs.__file__, folder)

    def play(self, server: Call, client: Call) -> Any:
        """What a client on `alice` finds out from a server on `web`."""

        async def main() -> Any:
            async with Network(self.folder / "net.yaml", time=self.time) as network:
                web: Any = network["web"]
                alice: Any = network["alice"]
                serving = asyncio.ensure_future(web.run(*server))
                ready = asyncio.ensure_future(web.run(programs.until_it_serves))
                await asyncio.wait([serving, ready], return_when=asyncio.FIRST_COMPLETED)
                assert not serving.done(), serving.result()
                try:
                    return await alice.run(*client)
                finally:
                    serving.cancel()

        return (run if self.time == "virtual" else asyncio.run)(main())


@pytest.fixture(params=["virtual", "real"])
def blocking(request: pytest.FixtureRequest, tmp_path: Path) -> Blocking:
    return Blocking(tmp_path, request.param)


def test_http(blocking: Blocking) -> None:
    answers = blocking.play((programs.http_server,), (programs.http_client, "web"))
    assert answers == [10, 300_000, 0]


@pytest.mark.filterwarnings("ignore:another run may differ")
def test_http_over_tls(blocking: Blocking, tmp_path: Path) -> None:
    make_contexts(tmp_path)
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    answers = blocking.play(
        (programs.http_server, certificate, key), (programs.http_client, "web", certificate)
    )
    assert answers == [10, 300_000, 0]


def test_what_need_not_wait_is_done_on_the_event_loop(blocking: Blocking) -> None:
    refused = blocking.play((programs.log_server,), (programs.log_on_the_loop, "web"))
    assert refused == "recv() on a socket"


def test_selectors_and_threads(blocking: Blocking) -> None:
    answers = blocking.play((programs.selector_server,), (programs.many_clients, "web"))
    assert answers == [b"0", b"1", b"2", b"3", b"4"]


def test_a_time_out(blocking: Blocking) -> None:
    words, took = blocking.play((programs.selector_server,), (programs.late, "web"))
    assert words == "timed out"
    if blocking.time == "virtual":
        assert took == 0.5
    else:
        assert took >= 0.5


def test_an_event_loop_in_a_thread(blocking: Blocking) -> None:
    answer = blocking.play((programs.selector_server,), (programs.loop_in_a_thread, "web"))
    assert answer == b"asyncio"


@pytest.mark.filterwarnings("ignore:another run may differ")
def test_a_child_process_on_the_loop(blocking: Blocking) -> None:
    answer = blocking.play((programs.selector_server,), (programs.a_child_process,))
    assert answer == b"from a child\n"


def test_an_error_does_not_keep_its_socket(blocking: Blocking) -> None:
    kept = blocking.play((programs.selector_server,), (programs.in_vain,))
    assert kept == [("ConnectionRefusedError", False), ("OSError", False)]
