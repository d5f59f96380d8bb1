"""aioquic (QUIC), over UDP."""

from __future__ import annotations

import asyncio
import datetime
import ssl

from aioquic.asyncio import connect
from aioquic.asyncio import serve as listen
from aioquic.quic.configuration import QuicConfiguration
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from partners import ALL, check, text_of

KIND = "QUIC and WebRTC"
PACKAGES = ("aioquic",)
ROLES = "both"
PORT = 4433
UDP = True


def own_certificate() -> QuicConfiguration:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
    begin = datetime.datetime(2025, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin)
    certificate = builder.not_valid_after(begin.replace(year=2035)).sign(key, hashes.SHA256())
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["echo"])
    configuration.certificate, configuration.private_key = certificate, key
    return configuration


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read())
    writer.write_eof()


async def serve() -> None:
    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.ensure_future(echo(reader, writer)))

    tasks: list[asyncio.Future[None]] = []
    await listen(ALL, PORT, configuration=own_certificate(), stream_handler=connected)
    await asyncio.Event().wait()


async def exchange(host: str, size: int) -> None:
    configuration = QuicConfiguration(alpn_protocols=["echo"], verify_mode=ssl.CERT_NONE)
    async with connect(host, PORT, configuration=configuration) as client:
        reader, writer = await client.create_stream()
        writer.write(text_of(size))
        writer.write_eof()
        check(text_of(size), await reader.read())
