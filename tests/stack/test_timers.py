from __future__ import annotations

import weakref
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsim.stack import timers as timers_module
from netsim.stack.timers import SLACK, Timer, Timers


class Clockwork:
    """Timers that note when they fire."""

    def __init__(self, count: int) -> None:
        self.timers = Timers()
        self.fired: list[tuple[int, int]] = []
        self.all = [Timer(self.timers, self._note(number)) for number in range(count)]

    def _note(self, number: int):  # type: ignore[no-untyped-def]
        return lambda now: self.fired.append((now, number))

    def run(self, until: int) -> None:
        while (due := self.timers.next_due()) is not None and due <= until:
            self.timers.fire(due)


def test_nothing_is_due_until_a_timer_is_started() -> None:
    works = Clockwork(1)
    assert works.timers.next_due() is None
    works.timers.fire(100)
    assert works.fired == []


def test_a_timer_fires_once_when_it_is_due() -> None:
    works = Clockwork(1)
    works.all[0].start(10)
    assert works.timers.next_due() == 10
    works.timers.fire(9)
    assert works.fired == []
    works.timers.fire(10)
    works.timers.fire(11)
    assert works.fired == [(10, 0)]
    assert works.all[0].due is None
    assert works.timers.next_due() is None


def test_a_timer_that_is_restarted_fires_at_the_new_time_alone() -> None:
    works = Clockwork(2)
    later, earlier = works.all
    later.start(10)
    later.start(30)
    earlier.start(30)
    earlier.start(20)
    works.run(100)
    assert works.fired == [(20, 1), (30, 0)]


def test_a_retired_timer_holds_nobody_and_never_fires() -> None:
    works = Clockwork(1)
    timer = works.all[0]
    action = weakref.ref(timer.action)
    timer.start(10)
    timer.retire()
    assert action() is None
    works.run(100)
    assert works.fired == []


def test_a_timer_moved_before_another_one_comes_first() -> None:
    works = Clockwork(2)
    moved, other = works.all
    moved.start(30)
    other.start(25)
    moved.start(20)
    assert works.timers.next_due() == 20
    works.run(100)
    assert works.fired == [(20, 0), (25, 1)]


def test_a_stopped_timer_does_not_fire() -> None:
    works = Clockwork(1)
    (timer,) = works.all
    timer.start(10)
    timer.stop()
    timer.stop()
    assert works.timers.next_due() is None
    timer.start(10)
    timer.start_if_stopped(5)
    works.run(100)
    assert works.fired == [(10, 0)]
    timer.start_if_stopped(200)
    assert timer.due == 200


def test_actions_may_start_timers_that_are_due_at_once() -> None:
    timers = Timers()
    fired = []
    second = Timer(timers, lambda now: fired.append(("second", now)))

    def act(now: int) -> None:
        fired.append(("first", now))
        second.start(now)

    first = Timer(timers, act)
    first.start(5)
    timers.fire(7)
    assert fired == [("first", 7), ("second", 7)]


def test_timers_that_are_stopped_do_not_pile_up() -> None:
    works = Clockwork(1)
    for number in range(10 * SLACK):
        works.all[0].start(1000 + number)
        stopped = Timer(works.timers, works.all[0].action)
        stopped.start(500 + number)
        stopped.stop()
    assert len(works.timers._heap) <= 2 * SLACK
    works.all[0].start(20_000)
    works.run(30_000)
    assert works.fired[-1] == (20_000, 0)


@pytest.mark.parametrize("slack", [0, SLACK])
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4), st.sampled_from(["start", "stop", "if-stopped"]), st.integers(0, 50)
        )
    )
)
def test_timers_fire_as_a_naive_list_of_due_times_says(
    slack: int, steps: list[tuple[int, str, int]]
) -> None:
    with mock.patch.object(timers_module, "SLACK", slack):
        check_against_a_naive_list(steps)


def check_against_a_naive_list(steps: list[tuple[int, str, int]]) -> None:
    works = Clockwork(5)
    naive: dict[int, int] = {}
    expected = []
    now = 0
    for number, verb, delay in steps:
        timer = works.all[number]
        if verb == "start":
            timer.start(now + delay)
            naive[number] = now + delay
        elif verb == "stop":
            timer.stop()
            naive.pop(number, None)
        else:
            timer.start_if_stopped(now + delay)
            naive.setdefault(number, now + delay)
        now += delay // 2
        due = sorted((due, number) for number, due in naive.items() if due <= now)
        expected += due
        for _, each in due:
            del naive[each]
        works.run(now)
        # Equal times fire in the order of the heap, which the naive list does not know.
        assert sorted(works.fired) == sorted(expected)
        assert [at for at, _ in works.fired] == [at for at, _ in expected]
        assert works.timers.next_due() == min(naive.values(), default=None)
