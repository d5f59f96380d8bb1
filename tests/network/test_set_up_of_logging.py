"""What programs set up in `logging` is their computer's own, for one life, in both times."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from networks import play

from netsim import Network

TOPOLOGY: Final = """
name: talkative
defaults: {link: {delay: 1ms}}
nodes:
  a: {kind: computer}
  b: {kind: computer}
  c: {kind: computer}
  s1: {kind: switch}
links: [[a, s1], [b, s1], [c, s1]]
"""
STORE: Final = """
import logging, logging.config, logging.handlers, os, socket, sys
from logging.handlers import MemoryHandler
from pathlib import Path

name = socket.gethostname()
logging.basicConfig(format="basic %(message)s")
log = logging.getLogger("store")
if not log.handlers:
    printing = logging.StreamHandler(sys.stdout)
    printing.setFormatter(logging.Formatter(f"{name} says: %(message)s"))
    printing.addFilter(lambda record: record.levelno < logging.ERROR)
    log.addHandler(printing)
    log.addHandler(logging.FileHandler("store.log"))

async def speak(text):
    log.info("%s of %s", text, name)
    return Path("store.log").read_text().splitlines()

async def configure(text):
    to_stdout = {"class": "logging.StreamHandler", "formatter": "f", "stream": "ext://sys.stdout"}
    logging.config.dictConfig({
        "version": 1,
        "formatters": {"f": {"format": f"{name} wrote: %(message)s"}},
        "handlers": {"h": to_stdout},
        "root": {"level": "WARNING", "handlers": ["h"]},
    })
    logging.warning(text)
    logging.info("not heard")
    log.error("disabled, and closed")

async def only_errors(text):
    changed = {"h": {"level": "ERROR"}}
    logging.config.dictConfig({"version": 1, "incremental": True, "handlers": changed})
    logging.warning(text)

async def keep():
    kept = MemoryHandler(100, target=logging.StreamHandler(sys.stdout))
    log.addHandler(kept)
    log.addFilter(lambda record: not record.getMessage().startswith("secret"))
    log.info("secret")
    log.info("kept until the end")
"""
Time = Literal["virtual", "real"]
TIMES: Final = pytest.mark.parametrize("time", ["virtual", "real"])


@pytest.fixture
def topology(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "net.yaml").write_text(TOPOLOGY)
    (tmp_path / "store.py").write_text(STORE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "net.yaml"
    sys.modules.pop("store", None)
    importlib.invalidate_caches()


async def speak(text: str) -> Any:
    return await importlib.import_module("store").speak(text)


async def configure(text: str) -> Any:
    return await importlib.import_module("store").configure(text)


async def only_errors(text: str) -> None:
    await importlib.import_module("store").only_errors(text)


async def keep() -> None:
    await importlib.import_module("store").keep()


def said(network: Network, node: str) -> list[str]:
    return [line["text"] for line in network.logs(node)["lines"]]


@TIMES
def test_handlers_added_by_a_module_are_those_of_one_life(time: Time, topology: Path) -> None:
    async def test(network: Network) -> None:
        for name in "abc":
            assert await network[name].run(speak, "one") == [f"one of {name}"]
        assert await network["a"].run(speak, "two") == ["one of a", "two of a"]
        async with network["b"].kill_program():
            assert await network["b"].run(speak, "new") == ["one of b", "new of b"]
        await network["c"].crash()
        await network["c"].start()
        assert await network["c"].run(speak, "new") == ["one of c", "new of c"]
        told = {name: said(network, name) for name in "abc"}
        assert told["a"] == ["a says: one of a", "one of a", "a says: two of a", "two of a"]
        assert told["b"] == ["b says: one of b", "one of b", "b says: new of b", "new of b"]
        assert told["c"] == ["c says: one of c", "one of c", "c says: new of c", "new of c"]

    play(time, topology, test)
    assert "store" not in sys.modules
    assert logging.getLogger("store").handlers == []


@TIMES
def test_those_of_the_test_s_copy_hear_no_computer(
    time: Time, topology: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store: Any = importlib.import_module("store")

    async def test(network: Network) -> None:
        assert await network["a"].run(store.speak, "one") == ["one of a"]
        assert said(network, "a") == ["a says: one of a", "one of a"]
        store.log.warning("the test speaks")

    try:
        play(time, topology, test)
        assert "one of a" not in capsys.readouterr().out
        assert Path("store.log").read_text() == "the test speaks\n"
    finally:
        for handler in list(store.log.handlers):
            store.log.removeHandler(handler)
            handler.close()


@TIMES
def test_a_configuration_is_that_of_one_computer(
    time: Time, topology: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(network: Network) -> None:
        await network["b"].run(speak, "before")
        await network["a"].run(configure, "careful")
        assert said(network, "a") == ["a wrote: careful"]
        assert await network["b"].run(speak, "after") == ["before of b", "after of b"]
        assert said(network, "b")[2:] == ["b says: after of b", "after of b"]
        logging.getLogger("store").warning("the test speaks")
        async with network["a"].kill_program():
            assert (await network["a"].run(speak, "again"))[-1] == "again of a"
        assert said(network, "a")[1:] == ["a says: again of a", "again of a"]

        await network["c"].run(configure, "c")
        await network["b"].run(configure, "b")
        await network["c"].run(only_errors, "not heard")
        assert said(network, "c") == ["c wrote: c"]
        with pytest.raises(ValueError, match="h"):
            await network["a"].run(only_errors, "has no such handler in this life")

    named = logging.NullHandler()
    named.set_name("of the test")
    play(time, topology, test)
    assert dict(vars(logging)["_handlers"])["of the test"] is named
    assert "the test speaks" in caplog.messages
    assert logging.root.manager.disable == logging.NOTSET


@TIMES
def test_what_handlers_keep_is_written_at_a_stop(time: Time, topology: Path) -> None:
    async def test(network: Network) -> None:
        await network["a"].run(keep)
        assert said(network, "a") == ["a says: kept until the end", "kept until the end"]
        await network["a"].stop()
        assert said(network, "a")[2:] == ["kept until the end"]

    play(time, topology, test)


def test_levels_that_the_test_sets_hold_where_programs_set_none(
    topology: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def whisper(level: int | None) -> None:
        log = logging.getLogger("whisper")
        if level is not None:
            log.setLevel(level)
        log.debug("a whisper")

    async def test(network: Network) -> None:
        await network["a"].run(whisper, None)
        assert said(network, "a") == []
        with caplog.at_level(logging.DEBUG, logger="whisper"):
            await network["a"].run(whisper, None)
            await network["b"].run(whisper, logging.INFO)
        await network["a"].run(whisper, None)
        await network["c"].run(whisper, logging.DEBUG)
        assert [said(network, name) for name in "abc"] == [["a whisper"], [], ["a whisper"]]
        assert logging.getLogger("whisper").level == logging.NOTSET

    play("virtual", topology, test)
