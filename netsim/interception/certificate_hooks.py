"""What OpenSSL trusts on a computer: as its own environment says.

OpenSSL reads SSL_CERT_FILE and SSL_CERT_DIR in C, from the environment of the process, where
computers do not write. While it looks, these two are there as the computer has them.
"""

from __future__ import annotations

import _ssl
import ctypes
import os
from typing import Any, Final

from netsim.interception.c_functions import MethodReplacement
from netsim.interception.environment import Presence

_NAMES: Final = (b"SSL_CERT_FILE", b"SSL_CERT_DIR")

_getenv: Final[Any] = ctypes.CDLL(None).getenv
_getenv.restype = ctypes.c_char_p
# As they are before a computer's stand there.
_putenv: Final = os.putenv
_unsetenv: Final = os.unsetenv


def certificate_hooks(presence: Presence) -> MethodReplacement:
    """Of what `SSLContext.load_default_certs` and `ssl.create_default_context` come to."""

    def set_default_verify_paths(context: Any) -> None:
        environment = presence.here()
        if environment is None or environment.environ is None:
            replacement.original(context)
            return
        before = {name: _getenv(name) for name in _NAMES}
        _set({name: environment.environ.get(name) for name in _NAMES})
        try:
            replacement.original(context)
        finally:
            _set(before)

    replacement = MethodReplacement(
        _ssl._SSLContext, "set_default_verify_paths", set_default_verify_paths
    )
    return replacement


def _set(values: dict[bytes, bytes | None]) -> None:
    for name, value in values.items():
        if value is None:
            _unsetenv(name)
        else:
            _putenv(name, value)
