"""One certificate as text, strictly: base64 in one spelling (RFC 4648), PEM (RFC 7468 section 5.1), escaped PEM.

Nothing here looks into the certificate: what counts is the digest of its octets.
"""

from __future__ import annotations

import binascii
import re
from urllib.parse import unquote_to_bytes

from ostiary.errors import VerificationError
from ostiary.protocol.checks import CERTIFICATE

MAX_LENGTH = 65_536
"""Characters of a header field's value, or of a PEM text, that are looked at."""
_LINES = rb"((?:[A-Za-z0-9+/=]{1,76}\r?\n)+)"
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\r?\n" + _LINES + rb"-----END CERTIFICATE-----(?:\r?\n)?")
# nginx and Envoy escape all that is not unreserved (RFC 3986 section 2.3); "+", "/" and "=" stand for themselves where
# a proxy leaves them: a form's "+" for a space occurs in no base64.
_LITERAL = rb"[A-Za-z0-9\-._~+/=]*"
_ESCAPED = re.compile(_LITERAL + rb"(?:%[0-9A-Fa-f]{2}" + _LITERAL + rb")*")


def unusable(seen: str, *, expected: str = "", mend: str = "") -> VerificationError:
    """The refusal of a certificate that cannot be read for certain."""
    return VerificationError(CERTIFICATE, "unusable client certificate", seen=seen, expected=expected, mend=mend)


def from_base64(text: bytes) -> bytes:
    """The octets of ``text``: padded, without white space, stray bits or any other spelling. Raises VerificationError.

    RFC 8941 section 4.2.7 lets a parser repair; we do not, so that one value is one text.
    """
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise unusable("base64 that cannot be read") from None
    if not raw or binascii.b2a_base64(raw, newline=False) != text:
        raise unusable("base64 that is empty or not in its one spelling")
    return raw


def from_pem(text: bytes) -> bytes:
    """The DER octets of the one certificate in ``text``, with nothing around it. Raises VerificationError."""
    if len(text) > MAX_LENGTH:
        raise unusable("a certificate that is too long", expected=f"at most {MAX_LENGTH} characters")
    if text.count(b"-----BEGIN ") > 1:
        raise unusable("more than one PEM block", expected="the client's own certificate alone")
    found = _PEM.fullmatch(text)
    if found is None:
        raise unusable("not one certificate in PEM", expected="-----BEGIN CERTIFICATE----- to its end, nothing else")
    return from_base64(found[1].translate(None, b"\r\n"))


def from_escaped_pem(value: bytes) -> bytes:
    """The DER octets of a percent-encoded PEM certificate, as nginx's ``$ssl_client_escaped_cert`` has it."""
    if len(value) > MAX_LENGTH:
        raise unusable("a header that is too long", expected=f"at most {MAX_LENGTH} characters")
    if _ESCAPED.fullmatch(value) is None:
        raise unusable("a value that is not percent-encoded", expected="$ssl_client_escaped_cert, nothing else")
    return from_pem(unquote_to_bytes(value))
