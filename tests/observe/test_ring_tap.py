from __future__ import annotations

from netsim.observe.tap import Direction, RingTap, Tap, TappedFrame


def test_the_last_frames_are_kept_and_the_others_counted() -> None:
    tap = RingTap(capacity=2)
    shown: Tap = tap
    for time_ns in range(5):
        shown.frame_passed(time_ns, "eth0", Direction.OUTBOUND, bytes([time_ns]))
    assert tap.frames() == [
        TappedFrame(3, "eth0", Direction.OUTBOUND, b"\x03"),
        TappedFrame(4, "eth0", Direction.OUTBOUND, b"\x04"),
    ]
    assert tap.dropped == 3


def test_a_ring_that_is_not_full_drops_nothing() -> None:
    tap = RingTap(capacity=2)
    tap.frame_passed(0, "eth0", Direction.INBOUND, b"a")
    tap.frame_passed(1, "eth1", Direction.INBOUND, b"b")
    assert tap.dropped == 0
    assert [row.interface for row in tap.frames()] == ["eth0", "eth1"]
