"""What the README says of the figures that it shows is so whenever they are measured anew."""

from __future__ import annotations

from pathlib import Path

from netsim import Network, run

CAMPUS = Path(__file__).resolve().parents[2] / "topologies" / "campus.yaml"


def test_the_first_ping_of_the_tour_is_longer_by_two_questions() -> None:
    """After alice's curl and traceroute; a question crosses two links of 200 us, twice."""

    async def tour() -> list[int]:
        async with Network(CAMPUS, time="virtual", seed=1) as network:
            assert (await network["alice"].get("http://web/ip")).status == 200
            assert (await network["alice"].exec("traceroute", "web")).code == 0
            return list((await network["bob"].ping("files", count=3)).rtts_ns)

    first, second, third = run(tour())
    assert round(second, -5) == round(third, -5) == 5_600_000
    assert round(first - second, -5) == 2 * 2 * 2 * 200_000
