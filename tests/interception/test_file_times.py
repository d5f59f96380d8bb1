"""The times of files are the network's, and the same in every run."""

from __future__ import annotations

import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from computers import SetClock, computer

from netsim.core.time import SECOND
from netsim.interception.environment import WALL_EPOCH_NS
from netsim.interception.interception import Interception


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def installed() -> Iterator[Interception]:
    with Interception() as interception:
        yield interception


def age_ns(path: Path) -> int:
    """When it was modified, in network time."""
    return path.stat().st_mtime_ns - WALL_EPOCH_NS


def test_what_lay_there_is_not_younger_than_the_network(tmp_path: Path, clock: SetClock) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    for path in (new, old):
        path.write_text("hello")
    os.utime(old, (1_000, 1_000))
    real = new.stat()
    with Interception() as interception:
        interception.enter(computer(clock=clock))
        assert age_ns(new) == 0
        assert old.stat().st_mtime == 1_000
        with new.open() as file:
            opened = os.stat(file.fileno())
        assert opened.st_mtime == os.path.getmtime(new) == WALL_EPOCH_NS / SECOND
        assert opened[8] == WALL_EPOCH_NS // SECOND
        for name in ("st_ino", "st_size", "st_mode", "st_blocks", "st_blksize"):
            assert getattr(opened, name) == getattr(real, name)
    assert new.stat() == real


def test_what_is_written_has_the_time_of_the_network(
    tmp_path: Path, clock: SetClock, installed: Interception
) -> None:
    installed.enter(computer(clock=clock))
    path = tmp_path / "log"
    clock.now = 5 * SECOND
    path.write_text("one")
    clock.now = 7 * SECOND
    assert age_ns(path) == 5 * SECOND
    path.touch()
    assert age_ns(path) == 7 * SECOND


def test_what_grows_is_younger_when_it_is_seen(
    tmp_path: Path, clock: SetClock, installed: Interception
) -> None:
    installed.enter(computer(clock=clock))
    path = tmp_path / "log"
    with path.open("w") as file:
        assert age_ns(path) == 0
        file.write("one")
        file.flush()
        clock.now = SECOND
        assert age_ns(path) == SECOND
        clock.now = 2 * SECOND
        assert age_ns(path) == SECOND


def test_it_stays_when_the_file_is_renamed(
    tmp_path: Path, clock: SetClock, installed: Interception
) -> None:
    installed.enter(computer(clock=clock))
    path = tmp_path / "written"
    clock.now = 3 * SECOND
    path.write_text("one")
    clock.now = 4 * SECOND
    assert age_ns(path.rename(tmp_path / "there")) == 3 * SECOND


def test_a_time_that_a_program_sets_is_that_time(tmp_path: Path, installed: Interception) -> None:
    installed.enter(computer())
    path = tmp_path / "copied"
    path.write_text("one")
    os.utime(path, ns=(5, WALL_EPOCH_NS + 3 * SECOND))
    assert age_ns(path) == 3 * SECOND


def test_imports_see_the_real_times(tmp_path: Path, installed: Interception) -> None:
    installed.enter(computer())
    source = tmp_path / "module_of_a_computer.py"
    source.write_text("ANSWER = 1\n")
    compiled = Path(py_compile.compile(str(source), doraise=True) or "")
    sys.path.insert(0, str(tmp_path))
    try:
        import module_of_a_computer  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(tmp_path))
        sys.modules.pop("module_of_a_computer", None)
    assert module_of_a_computer.ANSWER == 1
    installed.leave()
    kept = int.from_bytes(compiled.read_bytes()[8:12], "little")
    assert kept == int(source.stat().st_mtime)
