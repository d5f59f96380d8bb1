"""argparse for tools: it writes to the tool's terminal and never ends the process."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from typing import IO, NoReturn

from netsim.tools.context import Terminal


class ToolExit(Exception):  # noqa: N818  # not an error: it carries the exit code of a tool
    """The tool is over; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class ToolParser(argparse.ArgumentParser):
    """Usage goes to the terminal's stdout, complaints to its stderr; both raise ToolExit."""

    def __init__(self, terminal: Terminal, prog: str, *, add_help: bool = True) -> None:
        super().__init__(prog=prog, allow_abbrev=False, add_help=add_help)
        self._terminal = terminal

    def error(self, message: str) -> NoReturn:
        # argparse reads `-tlx` as `-t -l` with a value, which is not what anybody meant.
        bundled = re.search(r"ignored explicit argument '(.)", message)
        if bundled:
            message = f"unrecognized arguments: -{bundled[1]}"
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: {message}\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End with that exit code."""
        if message:
            self._print_message(message, sys.stderr)
        raise ToolExit(status)

    def _print_message(self, message: str, file: IO[str] | None = None) -> None:  # type: ignore[override]
        write = self._terminal.stderr if file is sys.stderr else self._terminal.stdout
        write(message.encode(errors="replace"))


class Refusal(argparse.Action):
    """An option of the original that is not there: it is left out of the usage, with a hint."""

    def __init__(self, option_strings: list[str], dest: str, *, hint: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=argparse.SUPPRESS)
        self._hint = hint

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        parser.error(f"{self.option_strings[0]} is not there; {self._hint}")


def whole(low: int, high: int) -> Callable[[str], int]:
    """An argument type: a whole number from `low` to `high`."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is out of range: {low} to {high}")
        return value

    return convert


def seconds(low: float = 0.0) -> Callable[[str], float]:
    """An argument type: seconds, with a fraction, at least `low`."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value < math.inf:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a time; write seconds, {low:g} or more"
            )
        return value

    return convert
