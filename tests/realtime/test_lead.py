"""How far ahead of its time a change is told to processes."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from plans import chain

from netsim.core.time import MILLISECOND
from netsim.realtime.process_backend import ProcessBackend


@pytest.fixture
def backend() -> ProcessBackend:
    return ProcessBackend(chain(), Mock())


def test_one_link_is_told_a_few_milliseconds_ahead(backend: ProcessBackend) -> None:
    assert 5 * MILLISECOND <= backend.lead_ns(2, 2) <= 7 * MILLISECOND


def test_the_lead_covers_what_telling_many_takes(backend: ProcessBackend) -> None:
    """A ring of 160 routers: 0.7 ms of CPU for each on two cores, 60 ms of the supervisor's."""
    assert 90 * MILLISECOND <= backend.lead_ns(160, 6600) <= 150 * MILLISECOND


def test_the_lead_grows_with_nodes_and_with_what_each_is_told(backend: ProcessBackend) -> None:
    leads = [backend.lead_ns(nodes, 40 * nodes) for nodes in (1, 10, 100, 1000)]
    assert leads == sorted(set(leads))
    assert backend.lead_ns(10, 10_000) > backend.lead_ns(10, 10)
