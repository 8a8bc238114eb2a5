"""Trust on a new machine: fetches a private CA's roots and keeps the one whose fingerprint its operator told.

The connection itself proves nothing, because nothing is trusted yet; the fingerprint does.
"""

from __future__ import annotations

import hmac
import re
import ssl

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ostiary.errors import ConfigurationError, Unavailable, VerificationError

MAX_BYTES = 1_048_576
TIMEOUT = 15.0
_AS_IT_IS = {"Accept-Encoding": "identity"}  # what is read is cut off at MAX_BYTES, and never unpacked


def fingerprint_octets(text: str) -> bytes:
    """A SHA-256 fingerprint in hex, with or without colons. Raises ConfigurationError."""
    plain = text.replace(":", "").replace(" ", "").lower().removeprefix("sha256")
    if re.fullmatch(r"[0-9a-f]{64}", plain) is None:
        raise ConfigurationError(
            "--fingerprint is the SHA-256 of the root, 64 hex digits: `ostiary ca show` on the CA's machine tells it."
        )
    return bytes.fromhex(plain)


def fetch_roots(url: str, fingerprint: str) -> bytes:
    """The root of that fingerprint, in PEM, from the CA at ``url`` (its issuer).

    Raises VerificationError("fingerprint") if it is not among the roots there, Unavailable, ConfigurationError.
    """
    wanted = fingerprint_octets(fingerprint)
    for root in _roots(_document(url)):
        if hmac.compare_digest(root.fingerprint(hashes.SHA256()), wanted):
            return root.public_bytes(serialization.Encoding.PEM)
    raise VerificationError(
        "fingerprint",
        "the CA there is another one",
        seen="no root of this fingerprint",
        expected=wanted.hex(),
        mend="compare the fingerprint with the operator's; do not trust what is there",
    )


def _document(url: str) -> bytes:
    if not re.match(r"https?://[^/]", url):
        raise ConfigurationError("--url is the issuer's, such as https://auth.example.com")
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE  # the fingerprint decides
    try:
        with (
            httpx2.Client(verify=unverified, timeout=TIMEOUT, trust_env=False) as http,
            http.stream(
                "GET", f"{url.rstrip('/')}/ca/roots.pem", headers=_AS_IT_IS, follow_redirects=False
            ) as response,
        ):
            document = b""
            for chunk in response.iter_raw():
                document += chunk
                if len(document) > MAX_BYTES:
                    raise Unavailable("certificate authority", "an answer that is too long")
            if response.status_code != 200:
                raise Unavailable("certificate authority", f"status {response.status_code} at {response.url}")
            return document
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise Unavailable("certificate authority", f"{type(error).__name__}: {error}") from error


def _roots(document: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(document)
    except ValueError:
        raise Unavailable("certificate authority", "no certificates in PEM there") from None
