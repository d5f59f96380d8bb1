"""`netsim up -d`: the supervisor goes to the background, the command waits until it is ready.

The child tells the parent through a pipe how it goes, a line of JSON each: `{"progress": [3,
28]}`, `{"ready": …}`, `{"failed": …, "code": 2}`. End of file without the last two means that
the child died.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from netsim.cli.detached_log import DetachedLog
from netsim.cli.outcome import FAILED, FINE, INTERRUPTED, explain
from netsim.cli.supervision import Watcher
from netsim.control.state_directory import discard_log, draft_log

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
_TAIL: Final = 2_000
"""Bytes of the log of a supervisor that died unexplained."""


def run_detached(supervise: Callable[[Watcher, Path], int], watcher: Watcher) -> int:
    """Fork; run `supervise` in the child, and show its progress to `watcher` here."""
    # They wait until here is somebody who passes them on, and there somebody who tidies up.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    log = draft_log()
    read, write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _be_the_supervisor(supervise, log, write)
    os.close(write)
    with os.fdopen(read, "rb") as reports, open(log, "rb") as written:
        code = _follow(reports, pid, watcher)
        if code is None:
            os.waitpid(pid, 0)
            tail = written.read()[-_TAIL:].decode(errors="replace").strip()
            click.echo(f"netsim: the supervisor died while starting; it said: {tail}", err=True)
            return FAILED
    return code


def _be_the_supervisor(
    supervise: Callable[[Watcher, Path], int], log: Path, descriptor: int
) -> None:
    """In the child; does not return."""
    code = FAILED
    try:
        os.setsid()  # the terminal's signals are not for it any more
        reports = _Reports(descriptor)
        _redirect(os.devnull, os.O_RDONLY, [0])
        _redirect(log, os.O_WRONLY | os.O_APPEND, [1, 2])
        try:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            code = supervise(reports, log)
            reports.failed("interrupted while starting", INTERRUPTED)
        except Exception as error:  # noqa: BLE001  # told to the parent
            text, code = explain(error)
            reports.failed(text, code)
            if click.get_current_context().find_root().params["debug"]:
                sys.excepthook(*sys.exc_info())
        except KeyboardInterrupt:
            code = INTERRUPTED
    finally:
        discard_log(log)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Reports:
    """The supervisor's side of the pipe, and its log."""

    def __init__(self, descriptor: int) -> None:
        self._pipe: int | None = descriptor
        self._log = DetachedLog()

    def progress(self, ready: int, total: int) -> None:
        self._send({"progress": [ready, total]})

    def warned(self, text: str) -> None:
        self._send({"warned": text})

    def ready(self, network: dict[str, Any]) -> None:
        self._send({"ready": network})
        self._hang_up()

    def failed(self, text: str, code: int) -> None:
        self._send({"failed": text, "code": code})
        self._hang_up()

    def event(self, event: dict[str, Any]) -> None:
        self._log.write(f"{event['wall']} {event['kind']} {event['node']}: {event['text']}")

    def look_after(self, log: Path, announce: Callable[[str], None]) -> None:
        self._log.look_after(log, announce)

    def down(self, name: str) -> None:
        """Who asked for it knows."""

    def _send(self, report: dict[str, Any]) -> None:
        if self._pipe is None:
            return
        data = json.dumps(report).encode() + b"\n"
        while data:
            data = data[os.write(self._pipe, data) :]

    def _hang_up(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


def _follow(reports: Any, pid: int, watcher: Watcher) -> int | None:
    """The exit code, or None when the child died without a word."""
    interrupted = is_over = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        # Too late when it is up: that is said, and `down` is the way to end it.
        if not is_over:
            interrupted = True
            os.kill(pid, signal.SIGTERM)

    before = signal.signal(signal.SIGINT, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        for line in reports:
            match json.loads(line):
                case {"progress": [ready, total]}:
                    watcher.progress(ready, total)
                case {"warned": text}:
                    watcher.warned(text)
                case {"ready": network}:
                    is_over = True
                    if interrupted:
                        break  # it has been told to end
                    watcher.ready(network)
                    return FINE
                case {"failed": text, "code": code}:
                    is_over = True
                    os.waitpid(pid, 0)
                    if not interrupted:
                        click.echo(text, err=True)
                    return int(code)
    finally:
        if interrupted:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        signal.signal(signal.SIGINT, before)
    return INTERRUPTED if interrupted else None


def _redirect(path: str | Path, flags: int, targets: list[int]) -> None:
    descriptor = os.open(path, flags)
    for target in targets:
        os.dup2(descriptor, target)
    os.close(descriptor)
