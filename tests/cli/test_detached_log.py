"""The log of a detached network has bounds, survives its removal, and ends nothing when full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsim.cli import detached_log
from netsim.cli.detached_log import DetachedLog


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DetachedLog]:
    monkeypatch.setattr(detached_log, "LIMIT", 1000)
    descriptor = open_log(tmp_path / "log")
    yield DetachedLog((descriptor,))
    os.close(descriptor)


def open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def nobody(text: str) -> None:
    raise AssertionError(text)


def test_what_it_held_moves_aside_and_what_goes_is_counted(
    log: DetachedLog, tmp_path: Path
) -> None:
    path, before = tmp_path / "log", tmp_path / "log.1"
    for round_ in range(3):
        for number in range(101):
            log.write(f"{round_} {number:7}")
        log.look_after(path, nobody)
        assert path.stat().st_size < 100
        assert before.stat().st_size <= 1000
        assert before.stat().st_mode & 0o777 == 0o600
    assert before.read_text().splitlines()[-1] == f"2 {100:7}"
    text = path.read_text()
    assert text.startswith("the lines before this one are in log.1; ")
    log.write("the next")
    assert path.read_text() == f"{text}the next\n"


def test_every_line_is_there_or_counted(log: DetachedLog, tmp_path: Path) -> None:
    for _ in range(3):
        for number in range(150):
            log.write(f"{number:9}")
        log.look_after(tmp_path / "log", nobody)
    kept = (tmp_path / "log.1").read_text().splitlines()
    assert kept == [f"{number:9}" for number in range(50, 150)]
    gone = int((tmp_path / "log").read_text().split("; ")[1].split()[0])
    notices = 2
    assert gone + len(kept) == 3 * 150 + notices


def test_a_log_that_cannot_be_written_is_told_once_and_counts(tmp_path: Path) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    log = DetachedLog((descriptor,))
    told: list[str] = []
    for _ in range(3):
        log.write("a line")
        log.look_after(tmp_path / "log", told.append)
    assert len(told) == 1
    assert "No space left on device" in told[0]
    good = open_log(tmp_path / "log")
    os.dup2(good, descriptor)
    log.write("the disk has room")
    log.look_after(tmp_path / "log", told.append)
    assert (tmp_path / "log").read_text() == (
        "3 lines are lost: No space left on device\nthe disk has room\n"
    )
    assert len(told) == 1
    os.close(good)
    os.close(descriptor)


def test_of_a_flood_only_the_end_is_held_and_not_all_is_counted(
    log: DetachedLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that a program has started prints past us, as fast as the disk takes it."""
    monkeypatch.setattr(detached_log, "_COUNTED", 40_000)
    monkeypatch.setattr(detached_log, "_PIECE", 4096)
    path = tmp_path / "log"
    with path.open("ab") as direct:
        direct.write(b"y".rjust(9) + b"\n" + b"%9d\n" % 0 * 9_999)
    log.look_after(path, nobody)
    assert len((tmp_path / "log.1").read_bytes()) == 1000
    gone = "more than 4001 before them are gone"
    assert path.read_text() == f"the lines before this one are in log.1; {gone}\n"


def test_the_log_stays_within_bounds_where_nothing_can_be_moved_aside(
    log: DetachedLog, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    (tmp_path / "log.1").mkdir()
    told: list[str] = []
    for _ in range(3):
        for number in range(150):
            log.write(f"{number:9}")
        log.look_after(path, told.append)
        assert path.stat().st_size < 100
    notices = 2
    assert path.read_text() == f"{3 * 150 + notices} lines before this one are gone\n"
    assert told == [
        f"{path} cannot be written ({tmp_path}/log.1: Is a directory); "
        "the network goes on without it"
    ]


def test_lines_that_are_lost_are_counted_on_a_line_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that becomes full takes a part of a line."""
    descriptor = open_log(tmp_path / "log")
    room = 10
    write = os.write

    def write_what_fits(target: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(target, data[:room])
        room -= written
        return written

    log = DetachedLog((descriptor,))
    monkeypatch.setattr(os, "write", write_what_fits)
    log.write("a line")
    log.write("another line")
    log.write("one more")
    room = 1000
    log.write("there is room")
    assert (tmp_path / "log").read_text() == (
        "a line\nano\n2 lines are lost: No space left on device\nthere is room\n"
    )
    os.close(descriptor)


def test_a_log_that_was_removed_is_made_anew(log: DetachedLog, tmp_path: Path) -> None:
    path = tmp_path / "log"
    log.write("before")
    path.unlink()
    log.look_after(path, nobody)
    log.write("after")
    assert path.read_text() == "after\n"
    assert path.stat().st_mode & 0o777 == 0o600
