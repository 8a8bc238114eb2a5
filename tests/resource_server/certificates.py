"""Certificates of callers and proxies, and how each kind of proxy writes one into a header."""

from __future__ import annotations

import base64
import ssl
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import trustme

from ostiary.protocol.certificate_binding import confirmation


@cache
def authority() -> trustme.CA:
    """The one authority of these tests: a key takes a moment to make."""
    return trustme.CA()


@cache
def issued(name: str) -> trustme.LeafCert:
    """The certificate called ``name``, the same each time."""
    return authority().issue_cert(name)


def pem(name: str) -> str:
    return issued(name).cert_chain_pems[0].bytes().decode()


def der(name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pem(name))


def bound_to(name: str) -> dict[str, Any]:
    """The claim of a token that is bound to that certificate, for ``World.token`` and ``World.claims``."""
    return {"cnf": confirmation(der(name))}


def client_cert(name: str) -> str:
    """The value of ``Client-Cert`` (RFC 9440)."""
    return f":{base64.b64encode(der(name)).decode()}:"


def escaped(name: str) -> str:
    """nginx's ``$ssl_client_escaped_cert``."""
    return quote(pem(name), safe="")


def forwarded(name: str) -> str:
    """Envoy's ``X-Forwarded-Client-Cert``."""
    return f'By=spiffe://a.example/proxy;Hash={sha256(der(name)).hexdigest()};Cert="{escaped(name)}"'
