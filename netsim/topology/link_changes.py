"""Changes of a link that runs, in the words of a topology file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from netsim.core.errors import InvalidFileError, InvalidValueError
from netsim.core.link_attributes import LINK_ATTRIBUTES, LinkAttributes, contradiction
from netsim.topology.findings import Findings, report_words
from netsim.topology.link_words import DirectionWords
from netsim.topology.trace_file import TraceFiles
from netsim.topology.yaml_source import PathTo


def changed_attributes(
    written: Mapping[str, object], now: LinkAttributes, folder: Path | None = None
) -> dict[str, Any]:
    """The fields of `LinkAttributes` that `written` gives, for example {"delay": "80ms"}.

    `now` is what the direction is like. Files are below `folder`, else below the working directory.
    InvalidValueError tells of every mistake.
    """
    for each in LINK_ATTRIBUTES:
        if not each.can_change and each.word in written:
            message = f"`{each.word}` cannot change while the network runs; leave it out"
            raise InvalidValueError(message)
    findings = _ValueFindings()
    try:
        words = DirectionWords.model_validate(dict(written))
    except ValidationError as error:
        report_words(error, findings, DirectionWords)
        findings.stop_if_any()
        raise
    fields = {
        each.field: value
        for each in LINK_ATTRIBUTES
        if (value := getattr(words, each.word, None)) is not None
    }
    if not fields:
        raise InvalidValueError('nothing is to be set; write for example delay="80ms"')
    try:
        new = TraceFiles(folder or Path.cwd()).in_attributes(replace(now, **fields))
    except InvalidFileError as error:
        raise InvalidValueError("; ".join(map(str, error.problems))) from None
    mistake = contradiction(new)
    if mistake is not None:
        raise InvalidValueError(": ".join(mistake))
    return {field: getattr(new, field) for field in fields}


class _ValueFindings(Findings):
    def __init__(self) -> None:
        self._messages: list[str] = []

    def report(self, path: PathTo, message: str, *, at_key: bool = False) -> None:
        where = "" if at_key or not path else f"{'.'.join(map(str, path))}: "
        self._messages.append(where + message)

    def warn(self, path: PathTo, message: str) -> None:
        self.report(path, message)

    def stop_if_any(self) -> None:
        if self._messages:
            raise InvalidValueError("; ".join(self._messages)) from None
