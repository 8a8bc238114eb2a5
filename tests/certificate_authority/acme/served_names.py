"""Servers under names of their own on loopback: a DNS server, and what answers challenges over HTTP and TLS."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.validation.tls_alpn_01 import ACME_IDENTIFIER, PROTOCOL
from tests.certificate_authority.authority import new_key, pem_of

Records = dict[tuple[str, str], list[str]]


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Authoritative for whatever stands in ``records``: (name, type) to texts. asked: every question, in order.

    answer: gives the records of a question, for tests whose answers change.
    """

    records: Records = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0
    answer: Callable[[str, str], list[str]] | None = None
    _transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, raw: bytes, address: Any) -> None:
        self._transport.sendto(self.answered(raw), address)

    def answered(self, raw: bytes) -> bytes:
        query = dns.message.from_wire(raw)
        question = query.question[0]
        name, kind = question.name.to_text().rstrip(".").lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        found = self.answer(name, kind) if self.answer else self.records.get((name, kind), [])
        if found:
            response.answer.append(dns.rrset.from_text_list(question.name, 1, "IN", kind, found))
        elif self.answer is None and not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


@asynccontextmanager
async def name_server(records: Records | None = None) -> AsyncIterator[NameServer]:
    """A DNS server on loopback."""
    server = NameServer(records if records is not None else {})
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()


Handler = Callable[[bytes], Awaitable[bytes] | bytes]


@dataclass
class Web:
    """An HTTP server that says what ``answers`` holds for a path; requests: the heads that came."""

    answers: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    port: int = 0
    raw: bytes | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.requests.append(head)
        body = self.answers.get(head.split(" ")[1])
        whole = ok(body) if body is not None else b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        writer.write(self.raw if self.raw is not None else whole)
        await writer.drain()
        writer.close()


def ok(body: bytes) -> bytes:
    """An answer of 200."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


@asynccontextmanager
async def web() -> AsyncIterator[Web]:
    """A web server on loopback."""
    made = Web()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


def challenge_certificate(
    names: list[str], key_authorization: str, *, critical: bool = True, value: bytes | None = None
) -> tuple[Any, bytes]:
    """What tls-alpn-01 shows: a key and a self-signed certificate (PEM)."""
    key = new_key()
    name, now = x509.Name([]), datetime.now(UTC)
    digest = b"\x04\x20" + hashlib.sha256(key_authorization.encode()).digest()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(identities.general_names(map(identities.parse, names))), True)
        .add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, digest if value is None else value), critical)
    )
    return key, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@asynccontextmanager
async def tls_server(
    folder: Path, key: Any, certificate: bytes, protocols: list[str] | None = None
) -> AsyncIterator[int]:
    """A TLS server on loopback that speaks acme-tls/1; its port."""
    (folder / "challenge.key").write_bytes(pem_of(key))
    (folder / "challenge.pem").write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "challenge.pem", folder / "challenge.key")
    context.set_alpn_protocols(protocols if protocols is not None else [PROTOCOL])

    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
