"""What a run of a test under one seed came to, on its way to pytest's own process."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass, field
from typing import Any

import pytest

from netsim.interception.drawn_order import Choice


@dataclass(slots=True)
class SeedAnswer:
    """What a run came to."""

    reports: list[Any] = field(default_factory=list)
    """As `pytest_report_to_serializable` makes them."""
    warned: list[tuple[type[Warning], str, str, int, str, Any]] = field(default_factory=list)
    """Category, text, file, line, when, location."""
    ended: str | None = None
    """Why pytest is to end (`pytest.exit`), or "interrupt"."""
    made: tuple[tuple[str, int], ...] = ()
    swaps: tuple[tuple[Choice, int], ...] = ()
    compiled: bool = False


class Noted:
    """A plugin that keeps what pytest reports of a run."""

    def __init__(self, config: pytest.Config, answer: SeedAnswer) -> None:
        self._config = config
        self._answer = answer

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        to_simple = self._config.hook.pytest_report_to_serializable
        data = to_simple(config=self._config, report=report)
        try:
            pickle.dumps(data)
        except Exception:  # noqa: BLE001  # properties of a test are whatever it says
            report.user_properties = [(name, repr(value)) for name, value in report.user_properties]
            data = to_simple(config=self._config, report=report)
        self._answer.reports.append(data)

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, location: Any
    ) -> None:
        category = warning_message.category
        try:
            pickle.dumps(category)
        except Exception:  # noqa: BLE001  # a class of a function has no name to be found by
            category = UserWarning
        text = str(warning_message.message)
        file, line = warning_message.filename, warning_message.lineno
        self._answer.warned.append((category, text, file, line, when, location))
