"""The decision about one request, a generator without I/O: request in, needs out, a Principal or a refusal at the end.

Order: format, signature, issuer, audience, times, type, sender constraint, revocation, scopes; replay last, so that
forgeries cannot fill its memory. RFC 9068 section 4, RFC 7662 section 4, RFC 6750.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256

from ostiary.errors import Unavailable, VerificationError
from ostiary.protocol import access_token, checks, claims, client_request_jwt, jws, strict_json, token_format
from ostiary.protocol.jwk import VerificationKey
from ostiary.protocol.status_list import StatusList
from ostiary.resource_server.attempt import Attempt
from ostiary.resource_server.client_certificates import ClientCertificates, FromTls
from ostiary.resource_server.errors import (
    REPLAY,
    InsufficientScope,
    expired,
    inactive,
    unknown_key,
)
from ostiary.resource_server.introspected import introspected_principal
from ostiary.resource_server.keys import IssuerKeys
from ostiary.resource_server.needs import (
    Answer,
    ClientKeyFound,
    Need,
    NeedClientKey,
    NeedIntrospection,
    NeedKey,
    NeedReplayCheck,
    NeedRevocations,
    NeedStatusList,
)
from ostiary.resource_server.principal import Principal
from ostiary.resource_server.read_only import ReadOnlyDict
from ostiary.resource_server.request import check_syntax, find_credential
from ostiary.resource_server.scopes import Implies, broader_by_colon, missing
from ostiary.resource_server.sender_constraint import check_bound_token, unbound
from ostiary.resource_server.signed_in_user import SignInDemand
from ostiary.resource_server.status_lists import check_status, reference_of
from ostiary.resource_server.token_cache import TokenCache, Verified
from ostiary.resource_server.watch import Watch

Decision = Generator[Need, Answer, Principal]


@dataclass(frozen=True)
class Rules:
    """What this API demands. audiences: its identifiers, the first is its own in direct JWTs.

    public_url: where callers reach it; the front of ``htu``. direct_header: lower-case name, None: not accepted.
    leeway: seconds. sign_in: every one of these demands must be met. certificates: where a client's certificate stands.
    bound_only: no access token is taken that is bound to none.
    """

    audiences: tuple[str, ...]
    public_url: str
    direct_header: bytes | None = None
    leeway: float = 10
    implies: Implies = broader_by_colon
    reference_issuer: Callable[[str], str] | None = None
    direct_issuer: str = ""
    sign_in: tuple[SignInDemand, ...] = ()
    certificates: ClientCertificates = field(default_factory=FromTls)
    bound_only: bool = False


class Verifier:
    """Decides about requests by ``rules``, trusting the keys of ``issuers`` (by issuer).

    watches: by issuer, how it is known that a token was revoked.
    """

    def __init__(
        self, rules: Rules, issuers: Mapping[str, IssuerKeys], watches: Mapping[str, Watch], cache: TokenCache
    ) -> None:
        self.rules = rules
        self._issuers = issuers
        self._watches = watches
        self.cache = cache

    def demanding(self, demand: SignInDemand) -> Verifier:
        """The same verifier, with the same cache, for operations with this demand beside those that it has."""
        stricter = replace(self.rules, sign_in=(*self.rules.sign_in, demand))
        return Verifier(stricter, self._issuers, self._watches, self.cache)

    def verify(self, attempt: Attempt) -> Decision:
        """The decision about ``attempt``. Raises VerificationError and what the answers to the needs raise."""
        rules = self.rules
        token, direct = find_credential(attempt.request, rules.direct_header)
        if direct:
            return (yield from self._client_request(attempt, token))
        if token.startswith(b"ost_"):
            principal = yield from self._reference(attempt, token)
        else:
            principal = yield from self._self_contained(attempt, token)
            watch = self._watches[principal.issuer]
            if attempt.instant >= watch.good_until:
                if watch.in_lists:
                    yield from self._in_its_list(attempt, principal)
                else:
                    yield from self._asked_about(principal.issuer, token)
        self.admit(attempt, principal)
        return principal

    def _self_contained(self, attempt: Attempt, token: bytes) -> Decision:
        digest = sha256(token).digest()
        seen = self.cache.get(digest)
        if seen is not None:
            principal, key = seen.principal, seen.key
            # Where the keys are due, or this one is gone, they are asked for: an entry lives no longer than its key.
            trusted = self._issuers[principal.issuer].trusted(key, attempt.instant)
            if trusted or (yield NeedKey(principal.issuer, key.kid)) == key:
                if principal.expires_at + self.rules.leeway <= attempt.now:
                    self.cache.discard(digest)
                    raise expired(principal.expires_at, attempt.now)
                # Else the clock was set back: what it says now of exp and iat is for the whole verification to judge.
                if attempt.instant < seen.until:
                    attempt.token_seen_before = True
                    return principal
            self.cache.discard(digest)
        return (yield from self._fresh(attempt, token, digest))

    def _asked_about(self, issuer: str, token: bytes) -> Generator[Need, Answer, None]:
        """For a token whose signature is good: what is known here does not suffice to say that it still stands."""
        if (yield NeedRevocations(issuer)) is not True:
            answer = yield NeedIntrospection(issuer, token.decode("ascii"), sha256(token).digest())
            if not isinstance(answer, dict):
                raise inactive()

    def _in_its_list(self, attempt: Attempt, principal: Principal) -> Generator[Need, Answer, None]:
        """ "MUST first perform the validation of the Referenced Token"; then what its status list says of it."""
        attempt.principal = principal
        reference = reference_of(principal.claims)
        found = yield NeedStatusList(principal.issuer, reference.uri)
        if not isinstance(found, StatusList):
            raise Unavailable("status list", reference.uri)
        check_status(found, reference)

    def _fresh(self, attempt: Attempt, token: bytes, digest: bytes) -> Decision:
        try:
            parsed = jws.parse(token)
        except VerificationError:
            # What is not even a token in its alphabet is a malformed request (400), not a bad token (401).
            check_syntax(token)
            raise
        claims.check_type(parsed, access_token.TYP, None)
        issuer = access_token.unverified_issuer(parsed)
        source = self._issuers.get(issuer)
        if source is None:
            raise self._foreign(issuer)
        kid = parsed.header.kid
        if kid is None:
            raise unknown_key("no kid", issuer)
        key = source.ready(kid, attempt.instant) or (yield NeedKey(issuer, kid))
        if not isinstance(key, VerificationKey):
            raise unknown_key(f"the kid {checks.shown(kid)}", issuer)
        principal = self._verified(attempt, parsed, key, issuer)
        life = principal.expires_at + self.rules.leeway - attempt.now
        self.cache.add(digest, Verified(principal, key, attempt.instant + life))
        return principal

    def _verified(self, attempt: Attempt, parsed: jws.CompactJws, key: VerificationKey, issuer: str) -> Principal:
        rules = self.rules
        try:
            found = access_token.verify(
                parsed, key, issuer=issuer, audience=rules.audiences, now=attempt.now, leeway=rules.leeway
            )
        except VerificationError as error:
            attempt.retrace(error, partial(self._good_claims, parsed, key, issuer, attempt.now))
            raise
        members = parsed.claims()
        return Principal(
            client_id=found.client_id,
            subject=found.sub,
            scopes=access_token.scope_tokens(found.scope),
            issuer=issuer,
            audience=found.aud,
            token_id=found.jti,
            expires_at=found.exp,
            grant_id=found.grant_id,
            rev=found.rev,
            kid=key.kid,
            # Nearly all tokens are flat, and those need no search for what could be altered inside.
            claims=ReadOnlyDict(members) if strict_json.is_flat(parsed.payload) else members,
        )

    def _good_claims(
        self, parsed: jws.CompactJws, key: VerificationKey, issuer: str, now: float, note: checks.Note | None
    ) -> access_token.AccessTokenClaims:
        rules = self.rules
        return access_token.verify(
            parsed, key, issuer=issuer, audience=rules.audiences, now=now, leeway=rules.leeway, note=note
        )

    def _reference(self, attempt: Attempt, token: bytes) -> Decision:
        text = token.decode("latin-1")
        kind = token_format.parse(text)
        if kind.kind != token_format.REFERENCE_ACCESS_TOKEN:
            raise VerificationError(
                checks.TYPE, "wrong type of token", seen=kind.kind, expected=token_format.REFERENCE_ACCESS_TOKEN
            )
        find = self.rules.reference_issuer
        issuer = find(kind.installation) if find is not None else ""
        if not issuer:
            raise VerificationError(
                checks.FORMAT,
                "this API takes self-contained tokens only",
                seen="a reference token",
                expected="a self-contained token: this API has no identity of its own to ask the issuer with",
                mend="give the API its key (OSTIARY_API_KEY_FILE), or have self-contained tokens issued for it",
            )
        answer = yield NeedIntrospection(issuer, text, token_format.digest(text))
        if not isinstance(answer, dict):
            raise inactive()
        return attempt.told(
            lambda note: introspected_principal(
                answer,
                issuer=issuer,
                audiences=self.rules.audiences,
                now=attempt.now,
                leeway=self.rules.leeway,
                note=note,
            )
        )

    def _client_request(self, attempt: Attempt, token: bytes) -> Decision:
        rules = self.rules
        parsed = jws.parse(token)
        claims.check_type(parsed, client_request_jwt.TYP, None)
        client_id = client_request_jwt.unverified_client_id(parsed)
        kid = parsed.header.kid
        found = (yield NeedClientKey(client_id, kid)) if kid is not None else None
        # The key must belong to the client that is claimed, whatever the key store answered.
        if not isinstance(found, ClientKeyFound) or found.client_id != client_id or found.key.kid != kid:
            raise unknown_key(f"the kid {checks.shown(kid)} of {checks.shown(client_id)}", "the key store")
        url = rules.public_url + attempt.request.path
        proved = attempt.told(
            lambda note: client_request_jwt.verify(
                parsed,
                found.key,
                client_id=client_id,
                audience=rules.audiences[0],
                method=attempt.request.method,
                url=url,
                now=attempt.now,
                leeway=rules.leeway,
                note=note,
            )
        )
        principal = Principal(
            client_id=client_id,
            subject=client_id,
            scopes=found.scopes,
            issuer=rules.direct_issuer,
            audience=rules.audiences[:1],
            token_id=proved.jti,
            expires_at=proved.exp,
            kind="client_request",
            claims=parsed.claims(),
        )
        self.admit(attempt, principal)
        # The memory must outlive the last moment at which the JWT would be taken.
        first = yield NeedReplayCheck(f"{rules.audiences[0]} {client_id}", proved.jti, proved.exp + rules.leeway + 1)
        if first is not True:
            raise VerificationError(
                REPLAY,
                "already used",
                seen=checks.shown(proved.jti),
                expected="a jti never seen",
                mend="sign each request anew",
            )
        return principal

    def admit(self, attempt: Attempt, principal: Principal) -> None:
        """Sender constraint, revocation, scopes, sign-in: what is decided at each request. Raises VerificationError."""
        rules = self.rules
        attempt.principal = principal
        if "cnf" in principal.claims:
            # RFC 7800 3.1: a bound token taken as a bearer token would be worth stealing again.
            check_bound_token(principal.claims["cnf"], attempt.request, rules.certificates)
        elif rules.bound_only and principal.kind == "access_token":
            raise unbound()
        check = self._watches[principal.issuer].check
        if check is not None:
            check(principal, attempt.now)
        held = principal.scopes
        for scope in attempt.scopes:
            if scope not in held:
                lacking = missing(attempt.scopes, held, rules.implies)
                if lacking:
                    raise InsufficientScope(attempt.scopes, lacking, tuple(held))
                break
        for demand in rules.sign_in:
            demand.check(principal.user, attempt.now)

    def _foreign(self, issuer: str) -> VerificationError:
        return VerificationError(
            checks.ISSUER,
            "issuer mismatch",
            seen=checks.shown(issuer),
            expected=" ".join(self._issuers),
            mend="ask an issuer that this API trusts, or add it to ResourceServer(issuer=...)",
        )
