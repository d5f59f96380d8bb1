"""netsim's own certificate authority: one for each network, made when it starts (RFC 5280).

In real time keys are random (ECDSA on P-256, which every client knows) and certificates are valid
by the machine's clock. In virtual time all is drawn from the seed: Ed25519 (RFC 8032), whose keys
are 32 octets and whose signatures always have 64, so that records have the same lengths in every
run. The dates are fixed and far apart: OpenSSL holds them against the machine's clock.
"""

from __future__ import annotations

import datetime
import importlib.util
import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from netsim.core.errors import StartError
from netsim.core.streams import RandomStreams
from netsim.topology.plan import NetworkPlan, NodePlan

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    Key = EllipticCurvePrivateKey | Ed25519PrivateKey

_EVER: Final = (
    datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2049, 12, 31, tzinfo=datetime.UTC),
)
_BEFORE: Final = datetime.timedelta(days=1)
_AFTER: Final = datetime.timedelta(days=365)
"""A network that stays up for longer has to be started again."""
_LOCAL: Final = ("127.0.0.1", "::1")

MISSING: Final = "`tls` needs cryptography, which is missing; pip install cryptography"


def can_be_made() -> bool:
    """Whether the package that makes them is installed."""
    return importlib.util.find_spec("cryptography") is not None


class Authority:
    """Signs certificates of computers. StartError without the package `cryptography`.

    With `streams` keys, numbers and dates are always the same; without, they are random and begin
    now.
    """

    def __init__(self, network: str, streams: RandomStreams | None) -> None:
        if not can_be_made():
            raise StartError(MISSING)
        from cryptography import x509

        self._streams = streams
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        self._valid = (now - _BEFORE, now + _AFTER) if streams is None else _EVER
        self._key = self._new_key("authority")
        self._name = _named(f"netsim: {network}")
        builder = (
            self._begun("authority", self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        self._certificate = self._signed(builder)
        self.pem = _pem(self._certificate)
        """The certificate that clients trust."""

    def certificate_of(self, node: NodePlan, domain: str) -> bytes:
        """A key, and the certificate of a computer with all of its names and addresses; PEM."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = self._new_key(node.name)
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        identifier = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        builder = (
            self._begun(node.name, _named(node.name), key)
            .add_extension(x509.SubjectAlternativeName(_names(node, domain)), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(issuer, critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return private + _pem(self._signed(builder))

    def _new_key(self, whose: str) -> Key:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519

        if self._streams is None:
            return ec.generate_private_key(ec.SECP256R1())
        drawn = self._streams.stream(f"{whose}/key").randbytes(32)
        return ed25519.Ed25519PrivateKey.from_private_bytes(drawn)

    def _begun(self, whose: str, subject: x509.Name, key: Key) -> x509.CertificateBuilder:
        from cryptography import x509

        number = x509.random_serial_number()
        if self._streams is not None:
            # RFC 5280 (4.1.2.2): positive, at most 20 octets.
            number = self._streams.stream(f"{whose}/number").getrandbits(158) | 1 << 158
        public = key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(number)
            .not_valid_before(self._valid[0])
            .not_valid_after(self._valid[1])
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    def _signed(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        from cryptography.hazmat.primitives import hashes

        # RFC 8410: Ed25519 has its own hash.
        return builder.sign(self._key, hashes.SHA256() if self._streams is None else None)


def uses_tls(plan: NetworkPlan) -> bool:
    """Whether any service of a network needs a certificate."""
    return any(service.tls for node in plan.nodes for service in node.services)


def _named(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    # At most 64 characters (RFC 5280, ub-common-name); clients look at the alternative names.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _names(node: NodePlan, domain: str) -> Iterable[x509.GeneralName]:
    from cryptography import x509

    names = dict.fromkeys((node.name, f"{node.name}.{domain}", "localhost"))
    packed = [own for interface in node.interfaces for own, _ in interface.addresses]
    addresses = dict.fromkeys(
        (*map(ipaddress.ip_address, packed), *map(ipaddress.ip_address, _LOCAL))
    )
    return [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM)
