"""A certificate renews itself: whoever holds its key signs the request for the next one (``typ`` TYP).

The JWT, signed by the certificate's own key, claims ``iss`` = ``sub`` = its ``x5t#S256`` (RFC 8705 section 3.1),
``aud`` = the issuer alone, ``jti``, ``iat``, ``exp``, and ``csr_hash`` = SHA-256 of the text of the request, so that
the proof is good for that request alone. It passes every proxy, unlike a TLS handshake.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import base64url, strict_json
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol.checks import CLAIMS, JTI, Note, checked_leeway
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "ostiary-certificate-renewal+jwt"
MAX_LIFE: Final = 300


@dataclass(frozen=True, slots=True)
class Renewal:
    """A verified wish. exp: seconds since the epoch, until which (thumbprint, ``jti``) must be remembered.

    usable_from: the first second in which it can have been accepted here.
    """

    thumbprint: str
    jti: str
    exp: float
    usable_from: int = 0


def csr_hash(csr: str) -> str:
    """SHA-256 of the text of a request, base64url."""
    return base64url.encode(hashlib.sha256(csr.encode("utf-8")).digest()).decode("ascii")


def build(thumbprint: str, issuer: str, csr: str, *, now: float, life: int = 60, jti: str) -> bytes:
    """The payload, to be signed by the certificate's key with the type TYP."""
    issued = int(now)
    claims = {"iss": thumbprint, "sub": thumbprint, "aud": issuer, "jti": jti, "iat": issued, "exp": issued + life}
    return strict_json.encode(claims | {"csr_hash": csr_hash(csr)})


def unverified_thumbprint(jws: compact.CompactJws) -> str:
    """The certificate that the JWT claims to be of, only to find its key."""
    return common.named_client(jws.claims())


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    thumbprint: str,
    issuer: str,
    csr: str,
    now: float,
    leeway: float = 10,
    note: Note | None = None,
) -> Renewal:
    """The wish, if the certificate ``thumbprint``, whose key is ``key``, wants the next one by ``csr``.

    now, leeway: seconds. The caller still has to see to it that the ``jti`` is used once. Raises VerificationError.
    """
    checked_leeway(leeway)
    compact.verify(jws, key, note)
    common.check_type(jws, TYP, note)
    members = jws.claims()
    common.check_client_names_itself(members, thumbprint, note)
    common.check_sole_audience(members, issuer, note)
    expires = common.check_short_life(members, now, MAX_LIFE, leeway, note)
    jti = common.text(members, "jti", check=JTI)
    if members.get("csr_hash") != csr_hash(csr):
        raise VerificationError(
            CLAIMS,
            "the proof is for another request",
            seen="another csr_hash",
            expected="the SHA-256 of this request's text",
            mend="sign a proof for each request",
        )
    return Renewal(thumbprint, jti, expires, common.usable_from(members, expires, MAX_LIFE, leeway))
