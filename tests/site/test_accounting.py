"""Accounts over the lives of nodes: nothing is lost with a node that it cannot have held."""

from __future__ import annotations

from typing import Any

import pytest
from plans import plan_of

from netsim.observe.link_account import LinkAccount, UnbalancedLinkError
from netsim.site.accounting import (
    FRAMES_IN_A_MESSAGE,
    Accounting,
    EgressCounters,
    IngressCounters,
    NodeCounters,
)

PLAN = plan_of("a b")


def counters(
    egress: dict[str, Any] | None = None, ingress: dict[str, Any] | None = None
) -> NodeCounters:
    """Of a node with one interface; what is not given is 0."""
    return NodeCounters(
        {"eth0": EgressCounters(**(egress or {}))}, {"eth0": IngressCounters(**(ingress or {}))}
    )


def from_a(accounting: Accounting, **up: NodeCounters) -> LinkAccount:
    return accounting.accounts(up)[0]


def test_a_link_between_living_nodes() -> None:
    account = from_a(
        Accounting(PLAN),
        a=counters({"sent": 9, "dropped": {"queue": 1}, "queued": 2, "handed_over": 6}),
        b=counters(
            None, {"received": 6, "delivered": 4, "dropped": {"carrier": 1}, "in_flight": 1}
        ),
    )
    account.check()
    assert account.delivered == 4
    assert account.dropped == {"queue": 1, "carrier": 1}
    assert account.in_flight == 3


def test_what_a_node_held_is_lost_with_it() -> None:
    accounting = Accounting(PLAN)
    accounting.close("a", counters({"sent": 5, "queued": 2, "handed_over": 3}))
    accounting.close("b", counters(None, {"received": 3, "delivered": 1, "in_flight": 2}))
    account = from_a(accounting)
    account.check()
    assert account.dropped == {"lost_with_node": 4}


def test_boots_add_up() -> None:
    accounting = Accounting(PLAN)
    accounting.close("a", counters({"sent": 5, "handed_over": 5}))
    accounting.close("a", counters({"sent": 2, "handed_over": 2, "dropped": {}}))
    account = from_a(
        accounting,
        a=counters({"sent": 3, "handed_over": 2, "dropped": {"loss": 1}}),
        b=counters(None, {"received": 9, "delivered": 9}),
    )
    account.check()
    assert (account.sent, account.delivered, account.dropped) == (10, 9, {"loss": 1})


def test_messages_that_nobody_read_can_have_held_frames() -> None:
    accounting = Accounting(PLAN)
    accounting.close("a", counters({"sent": 10, "handed_over": 10, "messages": 5}))
    account = from_a(accounting, b=counters(None, {"received": 7, "delivered": 7, "messages": 4}))
    account.check()
    assert account.dropped == {"lost_with_node": 3}


def test_frames_that_no_wire_took_are_not_lost_twice() -> None:
    account = from_a(
        Accounting(PLAN),
        a=counters({"sent": 10, "handed_over": 10, "lost": {"carrier": 3}, "messages": 2}),
        b=counters(None, {"received": 6, "delivered": 6, "messages": 1}),
    )
    account.check()
    assert account.dropped == {"carrier": 3, "lost_with_node": 1}


@pytest.mark.parametrize(("messages", "missing"), [(7, 1), (8, FRAMES_IN_A_MESSAGE + 1), (0, 1)])
def test_more_is_missing_than_the_messages_that_are_can_have_held(
    messages: int, missing: int
) -> None:
    accounting = Accounting(PLAN)
    accounting.close("a", counters({"sent": 100, "handed_over": 100, "messages": messages}))
    got = 100 - missing
    account = from_a(
        accounting, b=counters(None, {"received": got, "delivered": got, "messages": 7})
    )
    with pytest.raises(UnbalancedLinkError, match="frames disappeared"):
        account.check()


def test_nothing_is_lost_on_a_wire_that_works() -> None:
    account = from_a(
        Accounting(PLAN),
        a=counters({"sent": 10, "handed_over": 10, "messages": 3}),
        b=counters(None, {"received": 9, "delivered": 9, "messages": 3}),
    )
    with pytest.raises(UnbalancedLinkError, match="1 frames disappeared"):
        account.check()


def test_more_arrived_than_was_sent() -> None:
    accounting = Accounting(PLAN)
    accounting.close("a", counters({"sent": 10, "handed_over": 10, "messages": 9}))
    account = from_a(accounting, b=counters(None, {"received": 12, "delivered": 12, "messages": 1}))
    with pytest.raises(UnbalancedLinkError, match="2 frames came from nowhere"):
        account.check()


@pytest.mark.parametrize(
    "wrong",
    [{"sent": 11}, {"duplicated": 1}, {"dropped": {"loss": 1}}, {"queued": 1}],
)
def test_a_node_whose_own_counters_do_not_come_out(wrong: dict[str, Any]) -> None:
    accounting = Accounting(PLAN)
    accounting.close("a", counters({"sent": 10, "handed_over": 10, "messages": 50} | wrong))
    account = from_a(accounting, b=counters(None, {"received": 7, "delivered": 7}))
    with pytest.raises(UnbalancedLinkError):
        account.check()
