"""Run a command where nothing leads out of the machine, and tell what has tried to leave.

    scripts/nothing_leaves COMMAND [ARGUMENT…]

The command has a network namespace of its own: a loopback, and a default route into a TUN device
(Linux, tuntap.rst) that this program reads. A packet there is an attempt. It ends with the
command's exit code, or with 1 where that is 0 and something has tried; NETSIM_WATCHED tells the
command that it is there. Where the kernel allows no
such namespace it says so, and the command runs in the machine's network.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections import Counter
from typing import Final

WAYS: Final = (
    ("unshare", "--net"),
    ("unshare", "--user", "--map-current-user", "--keep-caps", "--net"),
)
"""As root; as anybody who may make user namespaces."""
SET_UP: Final = """
ip link set lo up
ip address add 192.0.2.2/24 dev outside
ip link set outside up
ip route add default dev outside
if [ -d /proc/sys/net/ipv6/conf/outside ]; then
    ip -6 address add 2001:db8::2/64 dev outside nodad
    ip -6 route add default dev outside
fi
"""
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x1001
_PR_CAP_AMBIENT: Final = 47
_CLEAR_ALL: Final = 4
_PROTOCOLS: Final = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 58: "ICMPv6"}
_WITH_PORTS: Final = (6, 17)
_OF_THE_LINK: Final = (0, 58)
"""Hop-by-Hop options and ICMPv6: of these a kernel sends to ff02:: by itself."""
_LEAST: Final = {4: 20, 6: 40}
"""Octets of a header, by version."""
_MOST: Final = 50
"""Destinations that are told."""


def main(command: list[str]) -> int:
    """Enter a namespace, and be there what `inside` is."""
    again = [sys.executable, os.path.abspath(__file__), "--inside"]
    for way in WAYS:
        with contextlib.suppress(OSError):
            probe = subprocess.run([*way, *again, "true"], capture_output=True, check=False)
            if probe.returncode == 0:
                os.execvp(way[0], [*way, *again, *command])
    print(
        "no namespace with a TUN device can be made here: the command runs in this machine's "
        "network, and what tries to leave is not seen",
        file=sys.stderr,
    )
    os.execvp(command[0], command)


def inside(command: list[str]) -> int:
    """Run the command, read what leaves, and say at the end what that was."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"outside", _IFF_TUN_NO_PI))
    subprocess.run(["sh", "-ec", SET_UP], check=True)
    # Who is not root has the rights for this only.
    ctypes.CDLL(None).prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    process = subprocess.Popen(command, env={**os.environ, "NETSIM_WATCHED": "1"})
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Ctrl-C has reached the command, too.
        signal.signal(number, lambda got, _: got == signal.SIGINT or process.send_signal(got))
    tried: Counter[str] = Counter()
    poll = select.poll()
    poll.register(device, select.POLLIN)
    ended = os.pidfd_open(process.pid)
    poll.register(ended, select.POLLIN)
    while not any(descriptor == ended for descriptor, _ in poll.poll()):
        _count(device, tried)
    _count(device, tried)
    code = process.wait()
    code = code if code >= 0 else 128 - code
    if tried:
        print("tried to leave the machine, and must not:", file=sys.stderr)
        for what, count in tried.most_common(_MOST):
            print(f"  {count} x {what}", file=sys.stderr)
    return code or int(bool(tried))


def _count(device: int, tried: Counter[str]) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            what = described(os.read(device, 65_535))
            if what:
                tried[what] += 1


def described(packet: bytes) -> str:
    """Where a packet goes to; nothing for what a kernel sends by itself."""
    version = packet[0] >> 4
    if len(packet) < _LEAST.get(version, 0):
        version = 0
    if version == 4:
        protocol, start = packet[9], (packet[0] & 15) * 4
        to = socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif version == 6:
        protocol, start = packet[6], 40
        to = socket.inet_ntop(socket.AF_INET6, packet[24:40])
        if to.startswith("ff02:") and protocol in _OF_THE_LINK:
            return ""  # router solicitations, and who listens to which group
    else:  # somebody's frame: ARP of a library that builds packets itself
        return f"{len(packet)} octets that are no IP: {packet[:48].hex()}"
    name = _PROTOCOLS.get(protocol, f"protocol {protocol}")
    if protocol not in _WITH_PORTS or len(packet) < start + 4:
        return f"{name} to {to}"
    (port,) = struct.unpack_from("!H", packet, start + 2)
    return f"{name} to {to} port {port}"


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    do = inside if sys.argv[1] == "--inside" else main
    sys.exit(do(sys.argv[2:] if do is inside else sys.argv[1:]))
