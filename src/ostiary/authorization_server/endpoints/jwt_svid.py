"""JWT-SVIDs for workloads: a client that proves itself gets the SPIFFE ID that an operator registered for it.

The form has ``audience``, which may be repeated, and optionally ``life`` in seconds. Who comes with a JWT-SVID gets
none: a bearer credential that is good for the next one would never end.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from ostiary.audit import tags
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, authenticated
from ostiary.authorization_server.http import Response, json_response
from ostiary.authorization_server.identifiers import new_jti
from ostiary.authorization_server.signing_key_life import SVID_ALGORITHMS
from ostiary.certificate_authority import spiffe_ids
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.client import SPIFFE_JWT
from ostiary.model.event import AuditEvent
from ostiary.protocol import jws, jwt_svid
from ostiary.protocol.checks import shown
from ostiary.storage.base import UnitOfWork

MAX_AUDIENCES: Final = 4
MAX_AUDIENCE_LENGTH: Final = 2048


async def _decide(exchange: Exchange) -> Answer:
    client = exchange.client.client
    if client.authentication_method == SPIFFE_JWT:
        raise OAuthError(
            "unauthorized_client",
            "a JWT-SVID is not exchanged for another one",
            status=403,
            check="method",
            seen=SPIFFE_JWT,
            expected="a proof by a key",
            mend="register the workload for tls_client_auth or private_key_jwt to give it JWT-SVIDs here",
        )
    try:
        subject = spiffe_ids.of_client(exchange.server.settings.certificate_authority, client)
    except VerificationError as error:
        raise OAuthError.of(error, "unauthorized_client", status=403) from None
    audience, life = _audience(exchange), _life(exchange)
    jti = new_jti(exchange.now)
    payload = jwt_svid.build(subject, audience, now=exchange.now, life=life, jti=jti)
    signer = exchange.server.signing_keys.current(SVID_ALGORITHMS[0], "jwt-svid")
    svid = jws.sign(payload, signer, typ=jwt_svid.TYP)
    told = {"svid": svid, "spiffe_id": subject, "audience": audience, "expires_in": life}
    return partial(_answer, exchange, jti, told)


def _audience(exchange: Exchange) -> list[str]:
    found = list(dict.fromkeys(exchange.repeated))
    # "The aud claim MUST be present, containing one or more values." JWT-SVID 3.2; each of them can use the SVID with
    # the others, so they are few.
    if not 0 < len(found) <= MAX_AUDIENCES or any(len(one) > MAX_AUDIENCE_LENGTH for one in found):
        raise _bad("audience", f"{len(found)} of them", f"1 to {MAX_AUDIENCES}, best one: the service it is shown to")
    return found


def _life(exchange: Exchange) -> int:
    settings, asked = exchange.server.settings.spiffe, exchange.form.get("life")
    if asked is None:
        return settings.jwt_svid_life
    if not (asked.isascii() and asked.isdigit() and len(asked) < 6 and 0 < int(asked) <= settings.jwt_svid_max_life):
        raise _bad("life", shown(asked), f"1 to {settings.jwt_svid_max_life} seconds")
    return int(asked)


def _bad(parameter: str, seen: str, expected: str) -> OAuthError:
    public = f"{parameter} is missing or unusable"
    return OAuthError("invalid_request", public, check=parameter, seen=seen, expected=expected)


async def _answer(exchange: Exchange, jti: str, told: dict[str, object], work: UnitOfWork) -> Response:
    await work.audit.append(
        AuditEvent(
            tag=tags.JWT_SVID_ISSUED,
            outcome="allowed",
            at=int(exchange.now * 1000),
            actor=exchange.client.client.client_id,
            target=jti,
            key_thumbprint=exchange.client.key_thumbprint,
            details={
                "spiffe_id": str(told["spiffe_id"]),
                "audience": " ".join(exchange.repeated),
                "expires_in": str(told["expires_in"]),
            },
        )
    )
    exchange.server.on_event("jwt_svid_issued", {})
    return json_response(told)


ENDPOINT = Endpoint(
    "jwt_svid",
    "/spiffe/jwt-svid",
    ("POST",),
    authenticated("jwt_svid", tags.JWT_SVID_REFUSED, _decide, repeatable="audience"),
    "ostiary_jwt_svid_endpoint",
    authenticates=True,
)
