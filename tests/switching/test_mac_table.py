from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netsim.core.time import SECOND
from netsim.switching.mac_table import AGEING_TIME, MacTable, Station

ALICE = bytes.fromhex("020000000001")
BOB = bytes.fromhex("020000000002")
CAROL = bytes.fromhex("020000000003")


def test_a_station_is_found_where_it_was_heard() -> None:
    table = MacTable()
    assert table.lookup(ALICE, 0) is None
    table.learn(ALICE, 3, 0)
    assert table.lookup(ALICE, 0) == 3
    assert table.lookup(BOB, 0) is None


def test_a_silent_station_is_forgotten_after_300_seconds() -> None:
    table = MacTable()
    table.learn(ALICE, 3, 7)
    assert table.lookup(ALICE, 7 + 300 * SECOND - 1) == 3
    assert table.lookup(ALICE, 7 + 300 * SECOND) is None
    assert table.entries(7 + 300 * SECOND) == []


def test_every_frame_keeps_a_station_known() -> None:
    table = MacTable()
    for minute in range(60):
        table.learn(ALICE, 3, minute * 60 * SECOND)
    assert table.lookup(ALICE, 60 * 60 * SECOND) == 3


def test_a_station_that_moves_is_followed_and_counted() -> None:
    table = MacTable()
    table.learn(ALICE, 1, 0)
    table.learn(ALICE, 1, 1)
    assert table.moved == 0
    table.learn(ALICE, 2, 2)
    assert table.lookup(ALICE, 2) == 2
    assert table.moved == 1


def test_a_station_heard_elsewhere_after_it_aged_out_did_not_move() -> None:
    table = MacTable()
    table.learn(ALICE, 1, 0)
    table.learn(ALICE, 2, AGEING_TIME)
    assert table.lookup(ALICE, AGEING_TIME) == 2
    assert table.moved == 0


def test_a_group_address_is_not_learned() -> None:
    table = MacTable()
    table.learn(b"\xff" * 6, 1, 0)
    table.learn(bytes.fromhex("01005e000001"), 1, 0)
    assert table.entries(0) == []


def test_a_full_table_refuses_newcomers_and_keeps_serving_the_others() -> None:
    table = MacTable(capacity=2)
    table.learn(ALICE, 1, 0)
    table.learn(BOB, 2, 0)
    table.learn(CAROL, 3, 0)
    assert table.refused == 1
    assert table.lookup(CAROL, 0) is None
    table.learn(ALICE, 4, 1)
    assert table.lookup(ALICE, 1) == 4


def test_a_full_table_makes_room_by_forgetting_the_silent() -> None:
    table = MacTable(capacity=2)
    table.learn(ALICE, 1, 0)
    table.learn(BOB, 2, 10)
    table.learn(CAROL, 3, 20)
    table.learn(CAROL, 3, AGEING_TIME - 1)
    assert table.refused == 2
    table.learn(CAROL, 3, AGEING_TIME)
    assert table.entries(AGEING_TIME) == [
        Station(BOB, 2, AGEING_TIME - 10),
        Station(CAROL, 3, 0),
    ]
    assert table.refused == 2


def test_flushing_a_port_leaves_the_others() -> None:
    table = MacTable()
    table.learn(ALICE, 1, 0)
    table.learn(BOB, 2, 0)
    table.learn(CAROL, 1, 0)
    table.flush_port(1)
    assert table.entries(5) == [Station(BOB, 2, 5)]
    table.learn(ALICE, 2, 6)
    assert table.moved == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.integers(0, 3),
            st.integers(0, 40),
            st.sampled_from(["learn", "lookup", "flush"]),
        )
    )
)
def test_it_agrees_with_a_list_of_everything_heard(
    steps: list[tuple[int, int, int, str]],
) -> None:
    capacity, ageing = 3, 50
    table = MacTable(capacity, ageing)
    known: dict[bytes, tuple[int, int]] = {}
    now = 0
    for station, port, pause, verb in steps:
        now += pause
        mac = bytes((2, 0, 0, 0, 0, station))
        known = {m: (p, t) for m, (p, t) in known.items() if now - t < ageing}
        if verb == "learn":
            table.learn(mac, port, now)
            if mac in known or len(known) < capacity:
                known[mac] = (port, now)
        elif verb == "flush":
            table.flush_port(port)
            known = {m: (p, t) for m, (p, t) in known.items() if p != port}
        assert table.lookup(mac, now) == known.get(mac, (None, 0))[0]
    assert {row.mac: (row.port, now - row.age_ns) for row in table.entries(now)} == known
