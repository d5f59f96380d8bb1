"""A shell beside a network that is only told of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from netsim_shell import FAKE_NETSIM, HOME, Shell, network_up


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """There `home` is up."""
    with network_up(tmp_path, HOME, FAKE_NETSIM) as shell:
        yield shell
