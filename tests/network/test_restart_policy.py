"""Back-off between restarts."""

from __future__ import annotations

from netsim.core.time import MILLISECOND, SECOND
from netsim.network.restart import RestartPolicy


def test_the_wait_doubles_up_to_a_limit() -> None:
    policy = RestartPolicy()
    now, waits = 5 * SECOND, []
    for _ in range(9):
        waits.append(policy.delay(now))
        now += waits[-1]
        policy.started(now)
        now += SECOND
    assert waits[:4] == [100 * MILLISECOND, 200 * MILLISECOND, 400 * MILLISECOND, 800 * MILLISECOND]
    assert waits[-2:] == [10 * SECOND, 10 * SECOND]


def test_a_long_life_makes_a_failure_the_first_again() -> None:
    policy = RestartPolicy()
    policy.delay(0)
    policy.delay(SECOND)
    policy.started(2 * SECOND)
    assert policy.delay(11 * SECOND) == 400 * MILLISECOND
    policy.started(20 * SECOND)
    assert policy.delay(30 * SECOND) == 100 * MILLISECOND


def test_starts_that_fail_are_no_lives() -> None:
    policy = RestartPolicy()
    now = 0
    for _ in range(20):
        now += policy.delay(now)
    assert policy.delay(now) == 10 * SECOND
