"""``spiffe_jwt``: a workload proves itself by its JWT-SVID: draft-ietf-oauth-spiffe-client-auth section 3.1.

The SVID is a bearer credential, and most have no ``jti``: one without can be used by whoever sees it, as often as they
like, until it ends. So its life is bounded (``spiffe.assertion_max_life``), its audience is this issuer alone, and it
is exchanged for no other credential than access tokens. One that has a ``jti`` is taken once.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Final

from ostiary.authorization_server.client_authentication import decoys
from ostiary.authorization_server.client_authentication.base import Attempt, Authenticated, Form, Method, refused
from ostiary.authorization_server.http import Request
from ostiary.errors import VerificationError
from ostiary.model.client import SPIFFE_JWT, Client
from ostiary.protocol import jws as compact
from ostiary.protocol import jwt_svid, spiffe_id
from ostiary.protocol.checks import CLIENT, KEY, Note, shown
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.jwt_svid import JwtSvid

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
LEEWAY: Final = 10
MAX_TRIES: Final = 4


def _presented(request: Request, form: Form) -> bool:
    return form.get("client_assertion_type") == ASSERTION_TYPE


def _attempt(request: Request, form: Form) -> Attempt:
    if "client_assertion" not in form:
        raise refused("method", seen="no client_assertion", expected="a JWT-SVID", public="client_assertion is missing")
    jws = compact.parse(form["client_assertion"])
    workload = jwt_svid.unverified_spiffe_id(jws)
    return Attempt(workload, partial(_prove, jws, workload, form.get("client_id")), workload=workload)


async def _prove(
    jws: compact.CompactJws,
    workload: str,
    named: str | None,
    server: AuthorizationServer,
    client: Client | None,
    now: float,
    note: Note,
) -> Authenticated:
    keys = await _keys(server, spiffe_id.check_workload(workload), jws.header)
    if client is None or not keys:
        decoys.verify(jws)
        raise refused(
            KEY if client is not None else CLIENT,
            seen=f"{shown(workload)}, kid {shown(jws.header.kid)}",
            expected="a client with this SPIFFE ID that is registered for spiffe_jwt, and a key of its trust domain",
            mend="ostiary client change CLIENT_ID --spiffe-id; [spiffe.bundles] names the keys of other trust domains",
        )
    # "if present, the value of the 'client_id' parameter MUST identify the same client as is identified by the client
    # assertion" RFC 7521 4.2; a workload may call itself by its SPIFFE ID.
    if named not in (None, client.client_id, workload):
        raise refused(CLIENT, seen=shown(named), expected=client.client_id, public="client_id is not of the assertion")
    settings = server.settings.spiffe
    verify = partial(
        jwt_svid.verify,
        jws,
        audience=server.issuer,
        now=now,
        max_life=settings.assertion_max_life,
        leeway=LEEWAY,
    )
    key, svid = _first_that_signed(keys, verify)
    if client.state != "active":
        raise refused(CLIENT, seen=client.state, expected="active", public="the client is disabled")
    until, since = ceil(svid.exp + LEEWAY), svid.usable_from
    return Authenticated(client, key.thumbprint, svid.jti, until, since, lambda again: verify(key, note=again))


async def _keys(server: AuthorizationServer, trust_domain: str, header: compact.Header) -> list[VerificationKey]:
    """The keys to try: those of the subject's own trust domain alone, so that no domain speaks for another."""
    if trust_domain == server.settings.certificate_authority.trust_domain:
        found = tuple(server.signing_keys.published("jwt-svid"))
    elif server.trust_bundles is not None:
        found = await server.trust_bundles.jwt_keys(trust_domain, header.kid)
    else:
        found = ()
    # "The kid header is optional." JWT-SVID 2.2
    named = [key for key in found if key.alg == header.alg and header.kid in (None, key.kid)]
    return named[:MAX_TRIES]


def _first_that_signed(keys: list[VerificationKey], verify: partial[JwtSvid]) -> tuple[VerificationKey, JwtSvid]:
    refusal: VerificationError | None = None
    for key in keys:
        try:
            return key, verify(key)
        except VerificationError as error:
            if error.check != "signature":
                raise
            refusal = error
    raise refusal or refused(KEY)


METHOD = Method(SPIFFE_JWT, _presented, _attempt, jwt_svid.ALGORITHMS)
