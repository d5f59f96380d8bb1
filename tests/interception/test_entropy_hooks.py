"""Randomness is seeded for each computer, and comes back to the process as it was."""

from __future__ import annotations

import os
import random
import secrets
import ssl
import tempfile
import uuid
from collections.abc import Callable, Iterator
from os import urandom
from pathlib import Path
from random import choice, gauss, getrandbits, getstate, randint, setstate, shuffle
from random import random as random_by_name
from random import seed as seed_by_name
from threading import Thread
from typing import Any
from uuid import uuid1, uuid4

import aiohttp.http_websocket
import pytest
from computers import SetClock, computer

from netsim.core.time import SECOND
from netsim.interception.environment import Environment
from netsim.interception.generator_state import GeneratorState, words_of
from netsim.interception.interception import Interception

Draw = Callable[[], Any]


def shuffled() -> list[int]:
    items = list(range(20))
    shuffle(items)
    return items


def temporary_directory() -> str:
    with tempfile.TemporaryDirectory() as name:
        return name


DRAWS: dict[str, Draw] = {
    "os.urandom": lambda: os.urandom(8),
    "urandom": lambda: urandom(8),
    "os.getrandom": lambda: os.getrandom(8),
    "secrets.token_hex": secrets.token_hex,
    "ssl.RAND_bytes": lambda: ssl.RAND_bytes(8),
    "tempfile.mktemp": lambda: next(tempfile._get_candidate_names()),  # type: ignore[attr-defined]
    "TemporaryDirectory": temporary_directory,
    "secrets.token_bytes": secrets.token_bytes,
    "secrets.randbelow": lambda: secrets.randbelow(1 << 60),
    "SystemRandom": lambda: random.SystemRandom().random(),
    "Random()": lambda: random.Random().random(),
    "Random(None).randbytes": lambda: random.Random(None).randbytes(8),
    "uuid1": uuid1,
    "uuid.uuid1": lambda: uuid.uuid1(),
    "uuid4": uuid4,
    "getnode": uuid.getnode,
    "random": random_by_name,
    "random.random": lambda: random.random(),
    "randint": lambda: randint(0, 1 << 60),
    "choice": lambda: choice(range(1 << 60)),
    "shuffle": shuffled,
    "gauss": lambda: (gauss(0, 1), gauss(0, 1)),
    "getrandbits": lambda: getrandbits(64),
    "getstate": getstate,
    "seed()": lambda: (seed_by_name(), random_by_name()),
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Interception]:
    # Tests that run beside this one draw the same temporary names.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Interception() as interception:
        yield interception


def on(interception: Interception, environment: Environment, draw: Draw) -> Any:
    interception.enter(environment)
    try:
        return draw()
    finally:
        interception.leave()


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
def test_draws_follow_seed_and_name(installed: Interception, draw: Draw) -> None:
    first = on(installed, computer("alice"), draw)
    assert on(installed, computer("alice"), draw) == first
    assert on(installed, computer("bob"), draw) != first
    assert on(installed, computer("alice", seed=2), draw) != first


@pytest.mark.parametrize("extra", DRAWS.values(), ids=DRAWS.keys())
def test_what_one_computer_draws_leaves_the_other_alone(
    installed: Interception, extra: Draw
) -> None:
    def take(*, disturbed: bool) -> list[Any]:
        alice, bob = computer("alice"), computer("bob")
        taken = []
        for draw in (DRAWS[name] for name in DRAWS if name != "seed()"):
            taken.append(on(installed, alice, draw))
            if disturbed:
                on(installed, bob, extra)
        return taken

    assert take(disturbed=True) == take(disturbed=False)


def test_a_computer_goes_on_where_it_left_off(installed: Interception) -> None:
    alice = computer()
    in_one_go = on(installed, computer(), lambda: [random_by_name() for _ in range(5)])
    assert [on(installed, alice, random_by_name) for _ in range(5)] == in_one_go
    alice, bob = computer(), computer("bob")
    pair = on(installed, computer(), lambda: [gauss(0, 1), gauss(0, 1)])
    first = on(installed, alice, lambda: gauss(0, 1))
    on(installed, bob, lambda: gauss(0, 1))
    assert [first, on(installed, alice, lambda: gauss(0, 1))] == pair


def test_seed_and_setstate_are_the_computers_own(installed: Interception) -> None:
    alice, bob = computer(), computer("bob")
    expected = random.Random(7).random()
    untouched = on(installed, computer("bob"), random_by_name)
    on(installed, alice, lambda: seed_by_name(7))
    assert on(installed, bob, random_by_name) == untouched
    state = on(installed, alice, getstate)
    assert on(installed, alice, random_by_name) == expected
    on(installed, alice, lambda: setstate(state))
    assert on(installed, alice, random_by_name) == expected


def test_the_process_keeps_its_own_numbers() -> None:
    state = getstate()
    try:
        seed_by_name(5)
        expected = [random_by_name(), gauss(0, 1), gauss(0, 1), random_by_name()]
        seed_by_name(5)
        with Interception() as interception:
            seen = [random_by_name()]
            interception.enter(computer())
            gauss(0, 1)
            seed_by_name(9)
            interception.leave()
            seen.append(gauss(0, 1))
            interception.enter(computer("bob"))
            random_by_name()
        seen += [gauss(0, 1), random_by_name()]
        assert seen == expected
    finally:
        setstate(state)


def test_explicit_seeds_are_what_they_were(installed: Interception) -> None:
    expected = random.Random("netsim").random(), random.Random(3).randbytes(5)
    drawn = on(
        installed,
        computer(),
        lambda: (random.Random("netsim").random(), random.Random(3).randbytes(5)),
    )
    assert drawn == expected
    with pytest.raises(TypeError):
        on(installed, computer(), lambda: random.Random([]))  # type: ignore[arg-type]


def test_the_process_draws_from_the_kernel() -> None:
    generators: Any = vars(random.Random.__mro__[1])
    before = urandom, generators["seed"], vars(uuid)["_generate_time_safe"]
    with Interception() as interception:
        interception.enter(computer())
        virtual = urandom(8)
        others: list[bytes] = []
        thread = Thread(target=lambda: others.append(urandom(8)))
        thread.start()
        thread.join()
        interception.leave()
        real = [urandom(8), os.urandom(8), os.getrandom(8), *others]
    assert (urandom, generators["seed"], vars(uuid)["_generate_time_safe"]) == before
    real += [urandom(8), os.urandom(8)]
    again = computer().urandom
    assert again is not None
    assert virtual == again.randbytes(8)
    assert len({virtual, *real}) == 7


def test_code_on_no_computer_has_the_randomness_of_the_process(installed: Interception) -> None:
    here = Environment(None, None, SetClock(), None, None)
    assert on(installed, here, uuid4) != on(installed, here, uuid4)
    state = getstate()
    on(installed, here, random_by_name)
    assert getstate() != state


def test_urandom_refuses_what_it_always_refused(installed: Interception) -> None:
    with pytest.raises(ValueError, match="negative"):
        on(installed, computer(), lambda: urandom(-1))
    with pytest.raises(TypeError):
        on(installed, computer(), lambda: urandom("8"))  # type: ignore[arg-type]
    assert on(installed, computer(), lambda: urandom(0)) == b""


def test_uuid1_has_node_and_time_of_the_computer(installed: Interception) -> None:
    clock = SetClock(SECOND)
    alice = computer(clock=clock)
    made = [on(installed, alice, uuid1) for _ in range(3)]
    assert {each.node for each in made} == {alice.uuid_node}
    assert made[0].node >> 40 & 1, "RFC 9562 (6.10): no interface has it"
    assert made[0].time < made[1].time < made[2].time
    clock.now += SECOND
    assert on(installed, alice, uuid1).time - made[0].time == 10_000_000
    same_time = [
        on(installed, computer(name), lambda: uuid1(1, 2)) for name in ("alice", "bob", "carol")
    ]
    assert len({each.time for each in same_time}) == 1


def test_masks_of_websocket_clients_are_drawn_on_the_computer(installed: Interception) -> None:
    def mask() -> int:
        writer = aiohttp.http_websocket.WebSocketWriter(None, None, use_mask=True)  # type: ignore[arg-type]
        return int(writer.get_random_bits())

    first = on(installed, computer(), mask)
    assert on(installed, computer(), mask) == first
    assert on(installed, computer("bob"), mask) != first


def test_defaults_of_aiohttp_come_back() -> None:
    function = aiohttp.http_websocket.WebSocketWriter.__init__
    before = function.__kwdefaults__
    with Interception():
        assert function.__kwdefaults__ != before
    assert function.__kwdefaults__ is before


def test_state_is_that_of_getstate() -> None:
    generator, other = random.Random(1), random.Random(2)
    generator.gauss(0, 1)
    state = GeneratorState.of(generator)
    words_of(other)[:] = state.words
    other.gauss_next = state.gauss_next  # type: ignore[attr-defined]
    assert other.getstate() == generator.getstate()
