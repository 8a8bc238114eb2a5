"""``private_key_jwt``: a client proves itself by a JWT signed with its key: RFC 7523 as updated by RFC 10070."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import TYPE_CHECKING

from ostiary.authorization_server.client_authentication import client_keys, decoys, spiffe_jwt
from ostiary.authorization_server.client_authentication.base import Attempt, Authenticated, Form, Method, refused
from ostiary.authorization_server.client_authentication.client_keys import CandidateKey
from ostiary.authorization_server.http import Request
from ostiary.errors import VerificationError
from ostiary.model.client import Client
from ostiary.protocol import client_assertion
from ostiary.protocol import jws as compact
from ostiary.protocol.algorithms import ALGORITHMS
from ostiary.protocol.checks import ALGORITHM, CLIENT, KEY, SIGNATURE, Note, shown
from ostiary.protocol.client_assertion import ClientAssertion
from ostiary.protocol.jwk import VerificationKey

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

LEEWAY = 10
_BEFORE_THE_CLAIMS = frozenset((ALGORITHM, SIGNATURE))


def _presented(request: Request, form: Form) -> bool:
    present = "client_assertion" in form or "client_assertion_type" in form
    return present and form.get("client_assertion_type") != spiffe_jwt.ASSERTION_TYPE


def _attempt(request: Request, form: Form) -> Attempt:
    asserted_type = form.get("client_assertion_type", "")
    if asserted_type != client_assertion.ASSERTION_TYPE or "client_assertion" not in form:
        raise refused(
            "method",
            seen=shown(asserted_type or "no client_assertion_type"),
            expected=client_assertion.ASSERTION_TYPE,
            public="client_assertion and its client_assertion_type belong together",
        )
    jws = compact.parse(form["client_assertion"])
    client_id = client_assertion.unverified_client_id(jws)
    named = form.get("client_id", client_id)
    # "if present, the value of the 'client_id' parameter MUST identify the same client as is identified by the client
    # assertion" RFC 7521 4.2
    if named != client_id:
        raise refused(
            CLIENT,
            seen=shown(named),
            expected=shown(client_id),
            mend="leave client_id out, or make it the subject of the assertion",
            public="client_id is not the client of the assertion",
        )
    return Attempt(client_id, partial(_prove, jws))


async def _prove(
    jws: compact.CompactJws, server: AuthorizationServer, client: Client | None, now: float, note: Note
) -> Authenticated:
    if client is None:
        decoys.verify(jws)
        raise refused(CLIENT, seen="no such client, or registered for another method", expected="a registered client")
    candidates = await client_keys.candidates(server, client, jws.header)
    if not candidates:
        decoys.verify(jws)
        raise refused(
            KEY,
            seen=f"kid {shown(jws.header.kid)}, alg {jws.header.alg}",
            expected="the kid of a key of this client",
            mend=f"register the key: ostiary client keys add {client.client_id}",
        )
    life = server.settings.tokens.assertion_max_life
    verify = partial(_verify, jws, client_id=client.client_id, issuer=server.issuer, now=now, max_life=life)
    key, assertion = _first_that_signed(jws, candidates, verify, note)
    client_keys.check_usable(key, now)
    if client.state != "active":
        raise refused(CLIENT, seen=client.state, expected="active", public="the client is disabled")
    server.key_use.note(key.key.thumbprint, int(now))
    until, since = ceil(assertion.exp + LEEWAY), assertion.usable_from
    return Authenticated(client, key.key.thumbprint, assertion.jti, until, since, partial(verify, key.key))


def _verify(
    jws: compact.CompactJws,
    key: VerificationKey,
    note: Note | None = None,
    *,
    client_id: str,
    issuer: str,
    now: float,
    max_life: float,
) -> ClientAssertion:
    return client_assertion.verify(
        jws, key, client_id=client_id, issuer=issuer, now=now, max_life=max_life, leeway=LEEWAY, note=note
    )


def _first_that_signed(
    jws: compact.CompactJws, candidates: Sequence[CandidateKey], verify: Callable[..., ClientAssertion], note: Note
) -> tuple[CandidateKey, ClientAssertion]:
    """The key that signed, with the verified assertion; only an assertion without kid has more than one candidate."""
    refusal: VerificationError | None = None
    for candidate in candidates:
        try:
            return candidate, verify(candidate.key)
        except VerificationError as error:
            refusal = error
            if error.check not in _BEFORE_THE_CLAIMS:
                verify(candidate.key, note)  # raises again, and tells the trace what had passed
    if refusal is not None and refusal.check == ALGORITHM:
        decoys.verify(jws)  # No signature was tried, and an answer that comes sooner would tell that the kid exists.
    raise refusal or refused(KEY)


METHOD = Method("private_key_jwt", _presented, _attempt, tuple(ALGORITHMS))
