"""The way of every signed ACME request: form, URL, nonce, account, signature, decision, one transaction, answer.

RFC 8555 section 6. The nonce is checked before anything costs much, and its one use is marked in the transaction of the
answer, together with whatever is written or refused. There the account is looked at again: one that was deactivated
meanwhile, or whose credential was revoked, does nothing any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from ostiary.authorization_server.client_address import client_address
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.endpoints.acme import answers
from ostiary.authorization_server.endpoints.acme.urls import PATH, AcmeUrls
from ostiary.authorization_server.endpoints.base import Endpoint, issuer_path
from ostiary.authorization_server.http import Request, Response, json_response
from ostiary.certificate_authority.acme.nonces import bad_nonce, check_nonce, use_nonce
from ostiary.certificate_authority.acme.permission import Permission, permission
from ostiary.certificate_authority.acme.problems import Problem, malformed, of_verification, unauthorized
from ostiary.errors import OAuthError, OstiaryError, Unavailable, VerificationError
from ostiary.model.acme import AcmeAccount, AcmeCredential
from ostiary.protocol import acme_jws
from ostiary.protocol.acme_jws import AcmeJws
from ostiary.protocol.jwk import VerificationKey, parse_public_key
from ostiary.revocation.act import Act
from ostiary.storage.base import Contended, UnitOfWork
from ostiary.trace import Trace

T = TypeVar("T")
MAX_ATTEMPTS = 5
_CONTENT_TYPE = b"application/jose+json"

Signer = Literal["account", "key", "either"]
"""Who signs: an account (``kid``), a key without one (``jwk``), or one of them."""


@dataclass(slots=True)
class AcmeExchange:
    """One request on its way. rest: the path below the endpoint's.

    ``jws``, ``key`` and, of an account, ``found`` and ``credential`` stand once the signature has been verified.
    """

    server: AuthorizationServer
    request: Request
    now: float
    trace: Trace
    rest: str
    signed: AcmeJws | None = None
    signer: VerificationKey | None = None
    found: AcmeAccount | None = None
    credential: AcmeCredential | None = None

    @property
    def jws(self) -> AcmeJws:
        """The verified request."""
        return _there(self.signed)

    @property
    def key(self) -> VerificationKey:
        """The key that signed it."""
        return _there(self.signer)

    @property
    def account(self) -> AcmeAccount:
        """The account that signed it."""
        return _there(self.found)

    @property
    def urls(self) -> AcmeUrls:
        return AcmeUrls(self.server.issuer)

    @property
    def permission(self) -> Permission:
        """What the account may ask for."""
        return permission(self.credential, self.server.settings.acme)

    def members(self) -> dict[str, object]:
        """The payload, a JSON object. Raises Problem."""
        try:
            return self.jws.members()
        except VerificationError as error:
            raise of_verification(error) from None

    def check_is_get(self) -> None:
        """POST-as-GET: the payload has no octets (section 6.3). Raises Problem."""
        if self.jws.payload:
            raise malformed("this is only read", seen="a payload", expected='an empty payload ("")')

    def act(self) -> Act:
        """Who acts, for the records."""
        account = self.found
        actor = f"acme:{account.account_id}" if account else "acme"
        address = client_address(self.server, self.request)
        personal = {"address": address} if address else {}
        return Act(actor, self.now, key_thumbprint=self.key.thumbprint, personal=personal)


def _there(part: T | None) -> T:
    if part is None:
        raise Unavailable("acme", "asked for before the signature was verified")
    return part


Answer = Callable[[UnitOfWork], Awaitable[Response]]
Decide = Callable[[AcmeExchange], Awaitable[Answer]]


def signed(name: str, path: str, decide: Decide, *, by: Signer = "account", changes_registry: bool = False) -> Endpoint:
    """The endpoint of a signed request. ``decide`` may raise Problem or VerificationError and writes nothing.

    changes_registry: its answer revokes, as in ``authorization_server.exchange``.
    """

    async def handler(server: AuthorizationServer, request: Request) -> Response:
        if not server.settings.acme.enabled:
            return absent()
        rest = request.path.removeprefix(issuer_path(server.issuer) + PATH + path)
        exchange = AcmeExchange(server, request, server.clock(), Trace("acme"), rest)
        try:
            return await _decided(exchange, decide, by, changes_registry)
        except Exception as error:
            return await answers.refuse(exchange, error)

    return Endpoint(f"acme_{name}", PATH + path, ("POST",), handler)


def absent() -> Response:
    """The answer where ACME is not served."""
    return json_response({"error": "not_found"}, status=404)


async def _decided(exchange: AcmeExchange, decide: Decide, by: Signer, changing: bool) -> Response:
    fault: OstiaryError = Unavailable("acme", "undone in favour of others too often")
    jws = _read(exchange, by)
    for _ in range(MAX_ATTEMPTS):
        await _authenticate(exchange, jws)
        _check_rate(exchange)
        answer = await _decision(exchange, decide)
        try:
            async with exchange.server.storage.write() as work:
                await work.positions(changing=changing)
                try:
                    await use_nonce(work, jws.nonce, exchange.now)
                    await _check_still(work, exchange)
                    if isinstance(answer, OstiaryError):
                        raise answer
                    return await answer(work)
                except (OAuthError, VerificationError) as error:
                    return await answers.record_unless_flooded(work, exchange, error)
        except Contended as undone:
            fault = undone
    raise fault


async def _decision(exchange: AcmeExchange, decide: Decide) -> Answer | OstiaryError:
    """What was decided; a refusal is kept until the transaction, where the nonce is used up with it."""
    try:
        return await decide(exchange)
    except (OAuthError, VerificationError) as error:
        return error


def _read(exchange: AcmeExchange, by: Signer) -> AcmeJws:
    request = exchange.request
    # Section 6.2: the media type is application/jose+json, and everything else is answered by 415.
    content_type = request.headers.get(b"content-type", b"").split(b";", 1)[0].strip().lower()
    if content_type != _CONTENT_TYPE:
        seen = content_type.decode("latin-1")
        raise Problem(
            "malformed", "the content type is not right", status=415, check="form", seen=seen,
            expected=_CONTENT_TYPE.decode(),
        )  # fmt: skip
    jws = acme_jws.parse(request.body)
    # Section 6.4: a URL that does not match is refused as "unauthorized".
    if jws.url != exchange.urls.of_path(request.path):
        raise unauthorized(
            "the request was signed for another URL",
            check="url",
            seen=jws.url,
            expected=exchange.urls.of_path(request.path),
            mend="sign the URL that the directory or the resource named",
        )
    if not jws.nonce:
        raise bad_nonce("none", "a nonce in the protected header")
    check_nonce(exchange.server.seals.mac, jws.nonce, exchange.now)
    if (by == "account" and not jws.kid) or (by == "key" and jws.kid):
        raise malformed(
            "the request must name its key by " + ("kid" if by == "account" else "jwk"),
            check="header",
            seen="kid" if jws.kid else "jwk",
            expected="kid" if by == "account" else "jwk",
        )
    return jws


async def _authenticate(exchange: AcmeExchange, jws: AcmeJws) -> None:
    account: AcmeAccount | None = None
    credential: AcmeCredential | None = None
    if jws.kid:
        async with exchange.server.storage.read() as work:
            account = await work.acme_accounts.get(exchange.urls.account_id(jws.kid) or "")
            if account is not None and account.credential:
                credential = await work.acme_credentials.get(account.credential)
        if account is None:
            raise Problem(
                "accountDoesNotExist", "there is no such account", check="account", mend="register the account again"
            )
        key = parse_public_key(account.jwk.encode(), alg=account.alg)
    else:
        key = acme_jws.key_of(jws)
    acme_jws.verify(jws, key)
    exchange.trace.note("signature", f"by the key {key.thumbprint}", "a signature by the account's key")
    exchange.signed, exchange.signer, exchange.found, exchange.credential = jws, key, account, credential


async def _check_still(work: UnitOfWork, exchange: AcmeExchange) -> None:
    """Whether the account may act at this very moment. Raises Problem."""
    if exchange.found is None:
        return
    account = await work.acme_accounts.get(exchange.found.account_id)
    # Section 7.3.6: whatever a deactivated account signs is refused as "unauthorized".
    if account is None or account.state != "valid":
        raise unauthorized("the account is deactivated", check="account", mend="make a new account")
    if account.thumbprint != exchange.key.thumbprint:
        raise unauthorized("the account has another key", check="account", mend="sign with its present key")
    if not account.credential:
        return
    credential = await work.acme_credentials.get(account.credential)
    if credential is None or credential.state != "active":
        mend = "ask the operator for a new credential, and make an account with it"
        raise unauthorized("the account's credential was revoked", check="credential", mend=mend)


def _check_rate(exchange: AcmeExchange) -> None:
    """Raises Problem: too many requests of one account, or of one address without an account."""
    account = exchange.found
    source = account.account_id if account else f"address {client_address(exchange.server, exchange.request)}"
    if not exchange.server.acme_requests.take(source):
        raise Problem(
            "rateLimited",
            "too many requests at once",
            status=429,
            headers={"Retry-After": "10"},
            check="rate",
            expected=f"at most {exchange.server.settings.acme.requests_per_minute} a minute",
        )
