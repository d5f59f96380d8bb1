"""The files with which the computers of a network speak TLS, for as long as it runs.

They lie in a directory that is the user's alone: `ca.pem`, the authority that has signed the
others; `trusted.pem`, what computers trust, that is `ca.pem` and what this machine trusts; and for
each computer with a service in TLS its key and certificate. The key of the authority is written
nowhere.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Final

from netsim.core.streams import RandomStreams
from netsim.core.time import Time
from netsim.topology.plan import NetworkPlan, NodePlan

_AUTHORITY: Final = "ca.pem"
_TRUSTED: Final = "trusted.pem"
_OF_DEBIAN: Final = "/etc/ssl/certs/ca-certificates.crt"
"""What Debian's OpenSSL trusts is a directory; here is all of it in one file."""
_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Where OpenSSL and httpx, and where requests look for what to trust."""


class CertificateFiles:
    """Those of one network; there are none, where none of its services needs one."""

    def __init__(self, plan: NetworkPlan, time: Time) -> None:
        self._plan = plan
        self._time: Time = time
        self.parent: Path | None = None
        """A private directory in which they are to lie; else it is a temporary one."""
        self._folder: Path | None = None
        self._files: dict[str, bytes] = {}

    @property
    def authority(self) -> Path | None:
        """`ca.pem`, while the network runs, and where it has one."""
        return None if self._folder is None else self._folder / _AUTHORITY

    def make(self) -> NetworkPlan:
        """Write them; the plan, in which computers know their own. StartError, OSError."""
        from netsim.site.certificates import Authority, uses_tls

        plan = self._plan
        if not uses_tls(plan):
            return plan
        streams = RandomStreams(plan.seed, "tls/") if self._time == "virtual" else None
        authority = Authority(plan.name, streams)
        trusted = authority.pem + _trusted_here()
        self._files = {_AUTHORITY: authority.pem, _TRUSTED: trusted}
        for node in plan.nodes:
            if any(service.tls for service in node.services):
                self._files[f"{node.name}.pem"] = authority.certificate_of(node, plan.domain)
        if self.parent is None:
            import tempfile  # 10 ms, which networks without TLS need not wait for

            folder = Path(tempfile.mkdtemp(prefix="netsim-tls-"))
        else:
            folder = self.parent / "tls"
        self._folder = folder
        self.write()
        return replace(plan, nodes=tuple(_knowing(node, folder) for node in plan.nodes))

    def write(self) -> None:
        """Write them, unless they are there; somebody may have removed them."""
        folder = self._folder
        if folder is None or (folder / _AUTHORITY).exists():
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, data in self._files.items():
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with open(os.open(folder / name, flags, 0o600), "wb") as file:
                file.write(data)

    def remove(self) -> None:
        """Nothing of them is left."""
        folder, self._folder = self._folder, None
        if folder is not None:
            import shutil

            shutil.rmtree(folder, ignore_errors=True)  # somebody may have removed it before


def _trusted_here() -> bytes:
    """What OpenSSL trusts on this machine, in PEM, where that is a file."""
    for path in (ssl.get_default_verify_paths().cafile, _OF_DEBIAN):
        if path is not None and os.path.isfile(path):
            return Path(path).read_bytes()
    return b""


def _knowing(node: NodePlan, folder: Path) -> NodePlan:
    if not node.traits.has_stack:
        return node
    services = tuple(
        replace(service, certificate=str(folder / f"{node.name}.pem")) if service.tls else service
        for service in node.services
    )
    trusted = dict.fromkeys(_VARIABLES, str(folder / _TRUSTED))
    return replace(node, services=services, env=trusted | node.env)
