"""Frames of every kind, in sequences, to every kind of node: nothing escapes, all is counted."""

from __future__ import annotations

import pytest
from attack import (
    TARGETS,
    Act,
    Attack,
    Fragments,
    Mutated,
    Options,
    Raw,
    Readdressed,
    Segment,
    Step,
    Target,
    Wait,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netsim.core.time import SECOND
from netsim.wire import ipv4_options

NUMBER = st.integers(0, 255)
NEAR_A_LIMIT = st.one_of(
    st.integers(-3000, 3000),
    st.sampled_from((-(1 << 31), -(1 << 16), 1 << 16, 1 << 22, (1 << 31) - 1, 1 << 31)),
)
FLAGS = st.one_of(st.sampled_from((0x10, 0x18, 0x11, 0x02, 0x12, 0x04, 0x14)), st.integers(0, 255))
PIECE = st.tuples(
    st.one_of(st.integers(0, 30), st.integers(0, 0x1FFF)),
    # Whole units, as all but the last must be, and others.
    st.one_of(st.integers(0, 30).map(lambda units: 8 * units), st.integers(0, 1400)),
    st.booleans(),
)
OPTION = st.one_of(
    st.binary(max_size=12),
    st.builds(
        lambda kind, length, data: bytes((kind, length)) + data,
        st.sampled_from((ipv4_options.RECORD_ROUTE, ipv4_options.TIMESTAMP, 131, 137, 0x94)),
        st.one_of(st.integers(0, 3), st.integers(0, 44)),
        st.binary(max_size=12),
    ),
    st.sampled_from((b"\1\1\1\7", b"\1\1\1\x94")),
)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.builds(Wait, st.sampled_from((0, SECOND // 25, SECOND, 10 * SECOND, 300 * SECOND))),
        st.builds(Raw, NUMBER, st.binary(max_size=100)),
        st.builds(
            Mutated,
            NUMBER,
            st.integers(0, 63),
            st.lists(st.integers(0, 700), max_size=4).map(tuple),
            st.one_of(st.none(), st.integers(0, 100)),
            st.one_of(st.just(b""), st.binary(max_size=20)),
            st.sampled_from(("nothing", "checksums", "lengths")),
        ),
        st.builds(
            Fragments,
            NUMBER,
            st.integers(0, 63),
            st.integers(0, 2),
            st.lists(PIECE, min_size=1, max_size=6).map(tuple),
        ),
        st.builds(Options, NUMBER, st.integers(0, 63), st.lists(OPTION, max_size=4).map(b"".join)),
        st.builds(Readdressed, NUMBER, st.integers(0, 63), NUMBER, NUMBER, st.booleans()),
        st.builds(
            Segment,
            NUMBER,
            FLAGS,
            NEAR_A_LIMIT,
            NEAR_A_LIMIT,
            st.sampled_from((0, 1, 1000, 65535)),
            NEAR_A_LIMIT,
            st.one_of(st.just(b""), st.binary(max_size=40)),
            st.integers(0, 1400).map(bytes),
        ),
        st.builds(Act, st.integers(0, len(Attack.ACTS) - 1), st.integers(0, 5000)),
    ),
    max_size=25,
)


BAD_OPTIONS = (b"\1\1\1\7", b"\7\0", b"\x94\1", b"\7\x29", b"\x07\x07\x03", b"\x44\x03")
OVERLAPS = (
    ((0, 16, True), (1, 16, True)),
    ((1, 16, True), (0, 16, True)),
    ((2, 8, False), (1, 16, True)),
    ((0, 8, True), (0, 8, True)),
)


# A node that hangs is the end of the run: hypothesis would try again what an exception cut short.
@pytest.mark.timeout(100, method="thread")
@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=80)
@given(steps=STEPS)
@example(steps=[Readdressed(n & 1, n % 7, n, n // 12, n % 5 == 0) for n in range(144)])
@example(steps=[Options(n & 1, n, option) for n in range(8) for option in BAD_OPTIONS])
@example(steps=[Fragments(n & 1, n, n, OVERLAPS[n // 8]) for n in range(8 * len(OVERLAPS))])
def test_nothing_escapes_a_node_under_attack_and_it_recovers(
    target: Target, steps: list[Step]
) -> None:
    attack = Attack(target)
    attack.play(steps)
    attack.check()
    assert attack.recovers()
    attack.check()
