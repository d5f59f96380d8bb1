from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.observe.link_account import LinkAccount, UnbalancedLinkError

BALANCED = LinkAccount(
    "r1/eth0",
    sent=100,
    duplicated=5,
    delivered=90,
    in_flight=3,
    dropped={"queue": 7, "carrier": 5},
)


def test_an_account_that_balances_passes() -> None:
    assert BALANCED.unexplained() == 0
    BALANCED.check()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (replace(BALANCED, delivered=88), "2 frames disappeared"),
        (replace(BALANCED, in_flight=4), "1 frames came from nowhere"),
        (replace(BALANCED, dropped={"queue": 7}), "5 frames disappeared"),
        (replace(BALANCED, duplicated=0), "5 frames came from nowhere"),
    ],
)
def test_what_does_not_add_up_is_named(wrong: LinkAccount, complaint: str) -> None:
    with pytest.raises(UnbalancedLinkError, match=complaint) as raised:
        wrong.check()
    assert raised.value.account is wrong
    assert "r1/eth0: sent 100" in str(raised.value)
