"""What programs print and log, by computer; and what the test itself logs."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import pytest
from networks import play

from netsim import Network, run

APP = """
import asyncio, logging, sys
from aiohttp import web

log = logging.getLogger("shop")

async def fails(request):
    raise LookupError("no such article")

async def forgets(request):
    async def lost():
        raise ValueError("nobody looks")
    task = asyncio.create_task(lost())
    await asyncio.sleep(0.1)
    del task
    return web.Response()

async def speaks(request):
    print("printed", 1)
    print("printed", 2, file=sys.stderr)
    log.debug("not heard")
    log.info("two\\nlines")
    log.error("bad")
    return web.Response()

def create_app():
    app = web.Application()
    for handler in (fails, forgets, speaks):
        app.router.add_get("/" + handler.__name__, handler)
    return app

async def dies():
    await asyncio.sleep(1)
    raise RuntimeError("run has ended")
"""
TOPOLOGY = """
name: talkative
defaults: {link: {delay: 1ms}}
nodes:
  alice: {kind: computer}
  shop: {kind: computer, services: {80: "talking_shop:create_app"}}
  bob: {kind: computer, run: "talking_shop:dies"}
  s1: {kind: switch}
links: [[alice, s1], [shop, s1], [bob, s1]]
"""


@pytest.fixture
def topology(tmp_path: Path) -> Path:
    (tmp_path / "talking_shop.py").write_text(APP)
    file = tmp_path / "talkative.yaml"
    file.write_text(TOPOLOGY)
    return file


def lines(network: Network, node: str) -> list[tuple[str, str]]:
    return [(line["level"], line["text"]) for line in network.logs(node)["lines"]]


def test_each_computer_speaks_with_its_name(
    topology: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def greet() -> None:
        sys.stdout.write("hello from a function\n")

    async def test(network: Network) -> None:
        assert (await network["alice"].get("http://shop/speaks")).status == 200
        await network["alice"].run(greet)
        sys.stdout.write("the test\n")
        assert [text for _, text in lines(network, "shop")] == [
            "printed 1",
            "printed 2",
            "two",
            "lines",
            "bad",
        ]
        assert [text for _, text in lines(network, "alice")] == ["hello from a function"]
        levels = [level for level, _ in lines(network, "shop")]
        assert [str(level).lower() for level in levels] == [
            "info",
            "warning",
            "info",
            "info",
            "error",
        ]
        assert [(line.node, line.text) for line in network.errors] == [("shop", "bad")]

    play("virtual", topology, test)
    assert capsys.readouterr().out == "the test\n"


def test_errors_of_handlers_and_tasks_are_errors_of_the_network(topology: Path) -> None:
    async def test(network: Network) -> None:
        assert (await network["alice"].get("http://shop/fails")).status == 500
        text = "\n".join(line.text for line in network.errors)
        assert "LookupError: no such article" in text
        assert {line.node for line in network.errors} == {"shop"}
        seen = len(network.errors)
        assert (await network["alice"].get("http://shop/forgets")).status == 200
        text = "\n".join(line.text for line in network.errors[seen:])
        assert "ValueError: nobody looks" in text
        assert "never retrieved" in text
        seen = len(network.errors)
        await asyncio.sleep(2)
        of_bob = [line.text for line in network.errors[seen:] if line.node == "bob"]
        assert "RuntimeError: run has ended" in of_bob

    play("virtual", topology, test)


def test_caplog_and_logging_of_the_test(topology: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def test(network: Network) -> None:
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("mine").debug("the test speaks")
        logging.getLogger("mine").error("an error of the test")
        await network["alice"].get("http://shop/speaks")
        assert [line.text for line in network.errors] == ["bad"]

    level = logging.getLogger().level
    play("virtual", topology, test)
    messages = [record.getMessage() for record in caplog.records]
    assert "the test speaks" in messages
    assert "an error of the test" in messages
    assert logging.getLogger().level == level


def test_two_networks_with_nodes_of_one_name_are_told_apart(topology: Path) -> None:
    async def speak(text: str) -> None:
        logging.getLogger("mine").info("logged %s", text)
        sys.stdout.write(f"printed {text}\n")

    async def main() -> None:
        one, other = Network(topology, time="virtual"), Network(topology, time="virtual")
        async with other:
            async with one:
                await one["alice"].run(speak, "one")
                await other["alice"].run(speak, "other")
            await other["alice"].run(speak, "again")
            await other["alice"].get("http://shop/speaks")
        assert [text for _, text in lines(one, "alice")] == ["logged one", "printed one"]
        assert [text for _, text in lines(other, "alice")] == [
            "logged other",
            "printed other",
            "logged again",
            "printed again",
        ]

    run(main())
