"""Which options sockets have, and what may be set: numbers and errors are those of Linux 6.18.

One that has no meaning in a simulated network is remembered all the same; a program may ask for it.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping
from typing import Any, Final

from netsim.sockets.os_errors import system_error

_INT: Final = 4


def _numbers(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(number for first, last in ranges for number in range(first, last + 1))


_SETTABLE: Final[Mapping[int, frozenset[int]]] = {
    socket.SOL_SOCKET: _numbers(
        *((1, 2), (5, 16), (18, 18), (20, 21), (25, 27), (29, 29), (32, 37), (40, 47), (49, 53)),
        *((60, 70), (72, 76), (80, 80), (82, 83)),
    ),
    socket.IPPROTO_IP: _numbers(
        *((1, 2), (4, 8), (10, 13), (15, 21), (23, 26), (32, 51), (64, 65), (96, 97), (200, 212)),
    ),
    socket.IPPROTO_TCP: _numbers(
        *((1, 10), (12, 14), (16, 25), (27, 27), (29, 34), (36, 37), (44, 46)),
    ),
    socket.IPPROTO_UDP: _numbers((1, 1), (100, 104)),
}
_READABLE: Final[Mapping[int, frozenset[int]]] = {
    socket.SOL_SOCKET: _numbers(
        *((1, 21), (25, 26), (28, 30), (34, 49), (55, 57), (59, 67), (69, 69), (71, 77), (82, 83)),
    ),
    socket.IPPROTO_IP: _numbers(
        *((1, 15), (18, 26), (32, 34), (41, 41), (48, 52), (64, 67), (80, 80), (83, 83), (96, 99)),
        (200, 212),
    ),
    socket.IPPROTO_TCP: _numbers((1, 13), (16, 21), (23, 31), (33, 37), (43, 46)),
    socket.IPPROTO_UDP: _numbers((1, 1), (10, 11), (100, 104)),
}
_OF_ANY_LENGTH: Final = frozenset(
    ((socket.SOL_SOCKET, 25), (socket.SOL_SOCKET, 26), (socket.IPPROTO_TCP, 13))
)
"""SO_BINDTODEVICE, SO_ATTACH_FILTER, TCP_CONGESTION."""
_LONGER: Final = {
    (socket.SOL_SOCKET, socket.SO_LINGER): 8,
    (socket.SOL_SOCKET, socket.SO_RCVTIMEO): 16,
    (socket.SOL_SOCKET, socket.SO_SNDTIMEO): 16,
}
"""Octets that a value has at least, where these are not four."""
_VALUES: Final = {
    (socket.IPPROTO_IP, socket.IP_TTL): (range(1, 256), (-1,)),
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG): (range(88, 32_768), (0,)),
    (socket.IPPROTO_TCP, 4): (range(1, 32_768), ()),  # TCP_KEEPIDLE
    (socket.IPPROTO_TCP, 5): (range(1, 32_768), ()),  # TCP_KEEPINTVL
    (socket.IPPROTO_TCP, 6): (range(1, 128), ()),  # TCP_KEEPCNT
    (socket.IPPROTO_TCP, 7): (range(1, 128), ()),  # TCP_SYNCNT
}
"""What else may be set: a range, and numbers beside it."""


def as_number(value: Any) -> int:
    """An option's value as `setsockopt` takes it: a number, or the bytes of one."""
    if isinstance(value, int):
        return value
    return int.from_bytes(bytes(value)[:_INT], sys.byteorder, signed=True)


def check_set(protocol: int, level: int, option: int, value: Any, length: int = 0) -> None:
    """OSError ENOPROTOOPT where such a socket has no such option that can be set, EINVAL for a
    value that is too short or makes no sense, EFAULT for None (of that `length`)."""
    if level not in (socket.SOL_SOCKET, socket.IPPROTO_IP, protocol):
        raise system_error(errno.ENOPROTOOPT)
    key = (level, option)
    if value is not None:
        length = _INT if isinstance(value, int) else len(value)
    if level != socket.IPPROTO_IP and length < _INT and key not in _OF_ANY_LENGTH:
        raise system_error(errno.EINVAL)
    if option not in _SETTABLE[level]:
        raise system_error(errno.ENOPROTOOPT)
    if value is None:
        raise system_error(errno.EFAULT)
    if length < _LONGER.get(key, 0):
        raise system_error(errno.EINVAL)
    if key in _VALUES:
        usual, others = _VALUES[key]
        number = as_number(value)
        if number not in usual and number not in others:
            raise system_error(errno.EINVAL)


def check_get(protocol: int, level: int, option: int) -> None:
    """OSError EOPNOTSUPP at a level that such a socket does not have, ENOPROTOOPT for an option."""
    if level not in (socket.SOL_SOCKET, socket.IPPROTO_IP, protocol):
        raise system_error(errno.EOPNOTSUPP)
    if option not in _READABLE[level]:
        raise system_error(errno.ENOPROTOOPT)
