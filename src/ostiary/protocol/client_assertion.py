"""Client authentication by a signed JWT (private_key_jwt): RFC 7523 section 3 as updated by RFC 10070."""

from __future__ import annotations

from typing import Final

import msgspec

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol import strict_json
from ostiary.protocol.checks import JTI, TYPE, Note, checked_leeway, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "client-authentication+jwt"
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MAX_LIFE: Final = 300


class ClientAssertion(msgspec.Struct, frozen=True, gc=False):
    """A verified client assertion. exp: seconds since the epoch, until which ``jti`` must be remembered.

    usable_from: the first second in which it can have been accepted here.
    """

    client_id: str
    jti: str
    exp: float
    kid: str
    usable_from: int = 0


def build(client_id: str, issuer: str, *, now: float, life: int = 60, jti: str) -> bytes:
    """The payload of an assertion by ``client_id`` for ``issuer`` alone, to be signed with the type TYP.

    now: seconds since the epoch; life: seconds; jti: unguessable, never used before. Source: RFC 10070 section 4.
    """
    issued = int(now)
    claims = {"iss": client_id, "sub": client_id, "aud": issuer, "jti": jti, "iat": issued, "exp": issued + life}
    return strict_json.encode(claims)


def unverified_client_id(jws: compact.CompactJws) -> str:
    """The client that the assertion claims to be of, only to choose whose keys to try."""
    return common.named_client(jws.claims())


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    client_id: str,
    issuer: str,
    now: float,
    max_life: float = MAX_LIFE,
    leeway: float = 10,
    note: Note | None = None,
) -> ClientAssertion:
    """The assertion, if it was made by ``client_id``, the owner of ``key``, for ``issuer`` alone.

    now, max_life, leeway: seconds. The caller still has to see to it that (client_id, jti) is used once.
    Raises VerificationError. Source: RFC 7523 section 3, RFC 10070 section 4, OpenID Connect Core section 9.
    """
    checked_leeway(leeway)
    compact.verify(jws, key, note)
    _check_type(jws, note)
    members = jws.claims()
    common.check_client_names_itself(members, client_id, note)
    common.check_sole_audience(members, issuer, note)
    expires = common.check_short_life(members, now, max_life, leeway, note)
    jti = common.text(members, "jti", check=JTI)
    if note is not None:
        note(JTI, shown(jti), "present")
    return ClientAssertion(client_id, jti, expires, key.kid, common.usable_from(members, expires, max_life, leeway))


def _check_type(jws: compact.CompactJws, note: Note | None) -> None:
    # RFC 10070 4: servers are not to insist on the explicit type; RFC 8725bis 3.12: another type is another JWT.
    typ = jws.header.typ
    if typ is not None and typ != TYP and compact.media_type(typ) not in (TYP, "jwt"):
        raise VerificationError(
            TYPE, "wrong type of token", seen=shown(typ), expected=f"{TYP}, JWT or none", mend=f"set typ to {TYP}"
        )
    if note is not None:
        note(TYPE, shown(typ), f"{TYP}, JWT or none")
