"""Certificates by API: for a client that proved itself, by an enrolment token, or by the current certificate.

Whoever asks gets what they may have (``certificate_authority.entitlement``); of the request (``csr``: PKCS #10 in DER,
base64url) the public key alone is taken. A client that is a workload may ask for the ``profile`` ``workload``: an
X.509-SVID. The answer is JSON: ``certificate`` (PEM, with its issuer), ``roots`` (PEM), ``serial``, ``not_before``,
``not_after``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil

from cryptography import x509

from ostiary.audit import tags
from ostiary.authorization_server import refusals
from ostiary.authorization_server.client_authentication.private_key_jwt import LEEWAY
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.base import Endpoint
from ostiary.authorization_server.exchange import Answer, Exchange, Handler, authenticated, read_form
from ostiary.authorization_server.http import Request, Response, json_response
from ostiary.certificate_authority import enrolment, issuing, spiffe_ids
from ostiary.certificate_authority.acme.finalizing import ACME
from ostiary.certificate_authority.entitlement import Entitlement, entitlement, of_successor
from ostiary.certificate_authority.issuing import Prepared
from ostiary.errors import ConfigurationError, OAuthError, VerificationError
from ostiary.model.certificate import Certificate, proved_by_certificate, proved_by_client
from ostiary.model.client import SPIFFE_JWT
from ostiary.protocol import base64url, certificate_binding, certificate_key, certificate_renewal, jws
from ostiary.protocol.checks import JTI
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork
from ostiary.trace import Trace

Decide = Callable[[Exchange], Awaitable[Answer]]


async def _for_client(exchange: Exchange) -> Answer:
    """A client, by whatever it proves itself with, gets a certificate that says who it is."""
    client = exchange.client.client
    if client.kind != "client":
        raise OAuthError("unauthorized_client", "an API has no certificate of a client", check="client", seen="an API")
    # A bearer credential, which somebody may have picked up, makes no credential that lives longer than it.
    if client.authentication_method == SPIFFE_JWT:
        raise OAuthError(
            "unauthorized_client",
            "a JWT-SVID is not exchanged for a certificate",
            status=403,
            check="method",
            seen=SPIFFE_JWT,
        )
    life, profile = _seconds(exchange, "life"), exchange.form.get("profile", "client")
    with _told():
        names = _names(exchange, profile)
        granted = entitlement(
            exchange.server.issuer, profile, names, client_id=client.client_id, owner=client.owner, life=life
        )
        prepared = await _prepared(exchange, granted, proved_by_client(exchange.client.key_thumbprint))
    act = Act(client.client_id, exchange.now, key_thumbprint=exchange.client.key_thumbprint)
    return partial(_record, exchange, prepared, act)


def _names(exchange: Exchange, profile: str) -> tuple[str, ...]:
    """What the certificate says of a client that asks for ``profile``; nothing of it is taken from the request."""
    if profile == "client":
        return ()
    if profile == "workload":
        settings = exchange.server.settings.certificate_authority
        return (spiffe_ids.of_client(settings, exchange.client.client),)
    raise OAuthError("invalid_request", "no such profile", check="profile", seen=profile, expected="client, workload")


async def _by_token(exchange: Exchange) -> Answer:
    """Whoever holds an enrolment token gets what it grants; the token is used up with the certificate's recording."""
    token = _parameter(exchange, "token")
    with _told():
        async with exchange.server.storage.read() as work:
            granted = await enrolment.look(work, token, int(exchange.now))
        prepared = await _prepared(exchange, granted, "enrolment token")
    act = Act(granted.client_id or granted.owner, exchange.now, "enrolment token")

    async def answer(work: UnitOfWork) -> Response:
        with _told():
            await _check_holder(work, granted)
            # Whatever may refuse comes before the token is spent, so that none is spent on a refusal.
            await issuing.check(work, prepared)
            await enrolment.use(work, token, int(exchange.now))
        return await _record(exchange, prepared, act, work)

    return answer


async def _by_certificate(exchange: Exchange) -> Answer:
    """A certificate that is good gets its successor: the same names, holder and life, a key of its own choice."""
    proof, presented = exchange.form.get("proof"), exchange.request.peer_certificate
    with _told():
        if proof is not None:
            present, renewal = await _proved(exchange, proof)
        elif presented is not None:
            _check_no_browser(exchange)
            present, renewal = await _standing(exchange, certificate_binding.thumbprint(presented)), None
        else:
            raise OAuthError(
                "invalid_request",
                "the current certificate is not proved",
                check="proof",
                expected="the parameter proof, or the certificate in TLS",
                mend="sign the request: ostiary cert renew",
            )
        _check_renews_itself(present)
        granted = await _successor(exchange, present)
        prepared = await _prepared(exchange, granted, proved_by_certificate(present.serial))
    act = Act(present.client_id or present.owner, exchange.now, "renewal", present.thumbprint)

    async def answer(work: UnitOfWork) -> Response:
        if renewal is not None:
            until, since = ceil(renewal.exp + LEEWAY), renewal.usable_from
            holder, now = renewal.thumbprint, int(exchange.now)
            if not await work.replay.mark(holder, renewal.jti, expires_at=until, usable_from=since, now=now):
                raise OAuthError("invalid_request", "the proof was used before", check=JTI, expected="a new jti")
        with _told():
            # Again, in the transaction: it may have been revoked meanwhile.
            _check_good(await work.certificates.get(present.serial), exchange.now)
            await _check_holder(work, granted)
        return await _record(exchange, prepared, act, work)

    return answer


def _check_no_browser(exchange: Exchange) -> None:
    """A browser shows its certificate to whatever page makes it send a form; so what a page sends proves nothing.

    Browsers say so by ``Origin`` (RFC 6454 section 7) or ``Sec-Fetch-Site``, and no page can leave them out of a POST.
    """
    told = [name for name in (b"origin", b"sec-fetch-site") if name in exchange.request.headers]
    if told:
        raise OAuthError(
            "invalid_request",
            "a page in a browser renews no certificate",
            status=403,
            check="cross_site",
            seen=", ".join(name.decode() for name in told),
            expected="a request by a program",
            mend="renew by ostiary cert renew, which signs its request",
        )


async def _proved(exchange: Exchange, proof: str) -> tuple[Certificate, certificate_renewal.Renewal]:
    parsed = jws.parse(proof)
    thumbprint = certificate_renewal.unverified_thumbprint(parsed)
    present = await _standing(exchange, thumbprint)
    key = certificate_key.verification_key(x509.load_der_x509_certificate(present.certificate))
    renewal = certificate_renewal.verify(
        parsed,
        key,
        thumbprint=thumbprint,
        issuer=exchange.server.issuer,
        csr=_parameter(exchange, "csr"),
        now=exchange.now,
        leeway=LEEWAY,
        note=exchange.trace.note,
    )
    return present, renewal


async def _standing(exchange: Exchange, thumbprint: str) -> Certificate:
    async with exchange.server.storage.read() as work:
        found = await work.certificates.by_thumbprint(thumbprint)
    return _check_good(found, exchange.now)


def _check_good(found: Certificate | None, now: float) -> Certificate:
    if found is None:
        raise VerificationError("certificate", "this certificate is not one of ours", expected="a certificate of ours")
    state = found.state(now)
    if state != "valid" or now < found.not_before:
        raise VerificationError(
            "certificate",
            f"the certificate is {state}, so it proves nothing",
            seen=state,
            expected="valid",
            mend="enrol anew: ostiary cert request, with a token of the operator",
        )
    return found


def _check_renews_itself(present: Certificate) -> None:
    # Its names were proved to be the account's at the time; the next one wants that proved again.
    if present.proof.startswith(ACME):
        raise VerificationError(
            "certificate",
            "a certificate got by ACME is renewed by ACME",
            seen="its own proof",
            expected="an order that proves its names again",
            mend="certbot renew, lego renew",
        )


async def _successor(exchange: Exchange, present: Certificate) -> Entitlement:
    async with exchange.server.storage.read() as work:
        ends = {one.authority_id: one.not_after for one in await work.authorities.list()}
    settings = exchange.server.authorities.settings.certificate_authority
    return of_successor(present, settings, issuer_ends=ends[present.authority_id])


async def _check_holder(work: UnitOfWork, granted: Entitlement) -> None:
    client = await work.clients.get(granted.client_id) if granted.client_id else None
    if granted.client_id and (client is None or client.state != "active"):
        raise VerificationError("client", "the client is disabled", seen="disabled", expected="active")
    if client is not None and granted.profile == "workload":
        spiffe_ids.check_of_client(client, granted.identities)


async def _prepared(exchange: Exchange, granted: Entitlement, proof: str) -> Prepared:
    csr = base64url.decode(_parameter(exchange, "csr").encode("utf-8"))
    await exchange.server.authorities.refresh()
    try:
        return await issuing.prepare(exchange.server.authorities, granted.wanted(csr, proof), exchange.now)
    except ConfigurationError as error:
        raise OAuthError(
            "invalid_request", "there is no certificate authority here", check="authority", mend=str(error)
        ) from None


async def _record(exchange: Exchange, prepared: Prepared, act: Act, work: UnitOfWork) -> Response:
    with _told():
        await issuing.record(work, prepared, act)
    exchange.server.on_event("certificate_issued", {"profile": prepared.record.profile})
    roots = b"".join(issuing.pem(root.certificate) for root in exchange.server.authorities.roots())
    record = prepared.record
    members = {
        "certificate": prepared.chain_pem().decode("ascii"),
        "roots": roots.decode("ascii"),
        "serial": record.serial,
        "not_before": record.not_before,
        "not_after": record.not_after,
    }
    return json_response(members, status=201)


def _parameter(exchange: Exchange, name: str) -> str:
    value = exchange.form.get(name)
    if value is None:
        raise OAuthError("invalid_request", f"{name} is missing", check=name, expected=f"the parameter {name}")
    return value


def _seconds(exchange: Exchange, name: str) -> int | None:
    value = exchange.form.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise OAuthError("invalid_request", f"{name} is no number of seconds", check=name, seen=value)
    return int(value)


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with the request for a certificate is told as any refusal of an endpoint is."""
    try:
        yield
    except VerificationError as error:
        raise OAuthError.of(error) from None


def _unauthenticated(kind: str, decide: Decide) -> Handler:
    """The handler of an endpoint where what is asked with is the proof."""

    async def handler(server: AuthorizationServer, request: Request) -> Response:
        exchange = Exchange(server, request, server.clock(), Trace(kind), tags.CERTIFICATE_REFUSED)
        try:
            exchange.form = read_form(request)
            answer = await decide(exchange)
            exchange.writing = True
            async with server.storage.write() as work:
                # A revocation, or the end of the authority, is either seen here or waits until this is committed.
                await work.positions()
                return await answer(work)
        except Exception as error:
            return await refusals.answer(exchange, error)

    return handler


FOR_CLIENT = Endpoint(
    "certificate",
    "/certificates",
    ("POST",),
    authenticated("certificate", tags.CERTIFICATE_REFUSED, _for_client),
    "ostiary_certificate_endpoint",
    authenticates=True,
)
BY_TOKEN = Endpoint(
    "certificate_enrolment",
    "/certificates/enrol",
    ("POST",),
    _unauthenticated("certificate_enrolment", _by_token),
    "ostiary_certificate_enrolment_endpoint",
)
RENEWAL = Endpoint(
    "certificate_renewal",
    "/certificates/renew",
    ("POST",),
    _unauthenticated("certificate_renewal", _by_certificate),
    "ostiary_certificate_renewal_endpoint",
    takes_certificates=True,
)
ENDPOINTS = (FOR_CLIENT, BY_TOKEN, RENEWAL)
