"""A client's own JWT straight to an API, without an access token: a profile of RFC 7519, RFC 8725bis 3.9-3.12.

Every claim is required: ``iss`` = ``sub`` = the client, ``aud`` = the API alone, ``htm`` and ``htu`` = method and URL
of the request (as in RFC 9449 section 4.2), ``jti`` used once, ``iat``, ``exp`` at most a minute away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ostiary.errors import VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws as compact
from ostiary.protocol import strict_json, uri
from ostiary.protocol.checks import ISSUED_AT, JTI, METHOD, URL, Note, checked_leeway, shown
from ostiary.protocol.jwk import VerificationKey

TYP: Final = "ostiary-request+jwt"
HEADER: Final = "Ostiary-Client-JWT"
MAX_LIFE: Final = 60


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A verified direct JWT. exp: seconds since the epoch, until which ``jti`` must be remembered."""

    client_id: str
    jti: str
    exp: float
    kid: str


def build(client_id: str, audience: str, *, method: str, url: str, now: float, life: int = 30, jti: str) -> bytes:
    """The payload for one request by ``client_id`` to the API ``audience``, to be signed with the type TYP.

    url: absolute; its query and fragment are left out. now: seconds since the epoch; life: seconds, at most 60.
    Raises VerificationError("url").
    """
    issued = int(now)
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "htm": method,
        "htu": uri.normalize(url),
        "jti": jti,
        "iat": issued,
        "exp": issued + life,
    }
    return strict_json.encode(claims)


def unverified_client_id(jws: compact.CompactJws) -> str:
    """The client that the JWT claims to be of, only to choose whose keys to try."""
    return common.named_client(jws.claims())


def verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    *,
    client_id: str,
    audience: str,
    method: str,
    url: str,
    now: float,
    max_life: float = MAX_LIFE,
    leeway: float = 10,
    note: Note | None = None,
) -> ClientRequest:
    """The JWT, if ``client_id``, the owner of ``key``, made it for this request to ``audience``.

    method: as received, any token, compared by case; url: the API's public URL of the request, from configuration and
    path, never from the Host header. now, max_life, leeway: seconds. The caller still has to see to it that
    (client_id, jti) is used once. Raises VerificationError.
    """
    checked_leeway(leeway)
    compact.verify(jws, key, note)
    common.check_type(jws, TYP, note)
    members = jws.claims()
    common.check_client_names_itself(members, client_id, note)
    common.check_sole_audience(members, audience, note)
    expires = common.check_short_life(members, now, max_life, leeway, note)
    if "iat" not in members:
        raise VerificationError(ISSUED_AT, "iat missing", seen="absent", expected="a time", mend='send the claim "iat"')
    _check_request(members, method, url, note)
    jti = common.text(members, "jti", check=JTI)
    if note is not None:
        note(JTI, shown(jti), "present")
    return ClientRequest(client_id, jti, expires, key.kid)


def _check_request(members: dict[str, object], method: str, url: str, note: Note | None) -> None:
    claimed_method = members.get("htm")
    if claimed_method != method:
        raise VerificationError(
            METHOD, "method mismatch", seen=shown(claimed_method), expected=shown(method), mend="sign each request anew"
        )
    claimed = uri.normalize(common.text(members, "htu", check=URL, max_length=uri.MAX_LENGTH))
    expected = uri.normalize(url)
    if claimed != expected:
        raise VerificationError(
            URL,
            "URL mismatch",
            seen=shown(claimed),
            expected=shown(expected),
            mend="sign the public URL of the request",
        )
    if note is not None:
        note(METHOD, shown(method), shown(method))
        note(URL, shown(claimed), shown(expected))
