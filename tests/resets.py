"""Ending a connection so that its peer sees a reset."""

from __future__ import annotations

import socket
import struct
from typing import Any


def reset(transport: Any) -> None:
    """`abort` alone closes, on asyncio's transports as on ours; SO_LINGER with a time of zero has
    it send a RST."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
