"""A TAP device of this machine: Ethernet frames to and from its kernel (Linux, tuntap.rst)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

TUN_DEVICE: Final = "/dev/net/tun"

# linux/if_tun.h and linux/sockios.h
_TUNSETIFF: Final = 0x400454CA
_TUNSETCARRIER: Final = 0x400454E2
_IFF_TAP_NO_PI: Final = 0x1002
_SIOCGIFMTU: Final = 0x8921
_SIOCSIFMTU: Final = 0x8922
_REQUEST: Final = struct.Struct("16sH22x")
_MTU_REQUEST: Final = struct.Struct("16si20x")
_LONGEST: Final = 65_535 + 18
"""Octets of the longest frame: MTU, header, and a VLAN tag."""
_AT_ONCE: Final = 64
"""Frames that are read before others have their turn."""


class TapError(OSError):
    """A TAP device cannot be had; the text says why and what to do."""


def open_tap(name: str) -> int:
    """A descriptor of the TAP device, which is made if there is none and we may.

    One that is made goes when all its descriptors are closed. Raises TapError.
    """
    try:
        descriptor = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise TapError(_cannot_open(name, error)) from error
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, _REQUEST.pack(name.encode(), _IFF_TAP_NO_PI))
    except OSError as error:
        os.close(descriptor)
        raise TapError(_refusal(name, error)) from error
    return descriptor


class TapDevice:
    """What a descriptor of `open_tap` is good for; it is closed by whoever opened it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def frames(self) -> Iterator[bytes]:
        """What the kernel has sent, some at a time: the descriptor stays readable for the rest.

        OSError when the device is there no longer.
        """
        for _ in range(_AT_ONCE):
            try:
                yield os.read(self.descriptor, _LONGEST)
            except OSError as error:
                if error.errno != errno.EAGAIN:
                    raise
                return

    def write(self, frame: bytes) -> str | None:
        """Hand a frame to the kernel; None, or why it did not take it."""
        try:
            os.write(self.descriptor, frame)
        except OSError as error:
            return "device-down" if error.errno == errno.EIO else "device"
        return None

    def set_carrier(self, up: bool) -> None:
        """Have the kernel see the cable connected or lost; kernels before 5.0 do not."""
        with contextlib.suppress(OSError):
            fcntl.ioctl(self.descriptor, _TUNSETCARRIER, struct.pack("i", up))


def set_mtu(name: str, mtu: int) -> str | None:
    """Give the device the MTU of its link; what has to be done by hand where we may not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, _SIOCGIFMTU, _MTU_REQUEST.pack(name.encode(), 0))
            found = _MTU_REQUEST.unpack(answer)[1]
            if found != mtu:
                fcntl.ioctl(sock, _SIOCSIFMTU, _MTU_REQUEST.pack(name.encode(), mtu))
        except OSError as error:
            reason = error.strerror or str(error)
            return f"{name} does not get its link's MTU ({reason}): ip link set {name} mtu {mtu}"
    return None


def _cannot_open(name: str, error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"there is no {TUN_DEVICE} for tap:{name}; load the module with `modprobe tun`"
    reason = (error.strerror or str(error)).lower()
    return f"cannot open {TUN_DEVICE} for tap:{name}: {reason}; run netsim where it may be opened"


def _refusal(name: str, error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return f"tap:{name} is held by somebody else; end that, or write another TAP device"
    if error.errno == errno.EINVAL:
        return f"{name} is an interface, and no TAP device; write another name"
    if error.errno == errno.EPERM:
        import getpass  # 3 ms, which is for this one sentence

        return (
            f"tap:{name} may not be opened by you; have it made for you: "
            f"`sudo ip tuntap add dev {name} mode tap user {getpass.getuser()}`"
        )
    return f"cannot open tap:{name}: {(error.strerror or str(error)).lower()}"
