"""Self-contained tokens at an API: the good one, and one fault at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ostiary.protocol.jwk import SigningKey
from ostiary.resource_server import Refused
from ostiary.resource_server.scopes import exact
from tests.resource_server.world import AUDIENCE, World, bearer, failed_check, request


def test_a_good_token_is_admitted_and_tells_who_calls(world: World) -> None:
    principal = world.guard().check_sync(bearer(world.token()), ["orders:read"])
    assert (principal.client_id, principal.subject, principal.issuer) == (
        "orders-client",
        "orders-client",
        world.issuer.issuer,
    )
    assert principal.scopes == {"orders:read"}
    assert (principal.token_id, principal.grant_id, principal.rev, principal.kind) == (
        "jti-1",
        "gr_1",
        7,
        "access_token",
    )
    assert principal.audience == (AUDIENCE,)
    assert principal.expires_at == world.clock.now + 300


def test_the_event_loop_admits_and_refuses_as_threads_do(world: World) -> None:
    async def both() -> None:
        guard = world.guard()
        async with guard.lifespan():
            assert (await guard.check(bearer(world.token()), ["orders:read"])).client_id == "orders-client"
            with pytest.raises(Refused, match="audience mismatch"):
                await guard.check(bearer(world.token(aud="https://other.example.com")))

    asyncio.run(both())


@pytest.mark.parametrize(
    ("changed", "check", "public"),
    [
        ({"iss": "https://evil.example.com"}, "issuer", "issuer mismatch"),
        ({"iss": None}, "issuer", "iss missing or unusable"),
        ({"aud": "https://other.example.com"}, "audience", "audience mismatch"),
        ({"aud": None}, "audience", "audience missing or unusable"),
        ({"exp": 1}, "expiry", "expired"),
        ({"exp": None}, "expiry", "exp missing"),
        ({"nbf": 2**33}, "not_before", "not valid yet"),
        ({"iat": 2**33}, "issued_at", "not valid yet"),
        ({"iat": None}, "issued_at", "iat missing"),
        ({"sub": None}, "subject", "sub missing or unusable"),
        ({"jti": None}, "jti", "jti missing or unusable"),
        ({"client_id": None}, "client", "client_id missing or unusable"),
        ({"scope": 7}, "scope", "scope unusable"),
        ({"cnf": {"jkt": "x"}}, "sender_constraint", "this token needs proof of possession"),
        ({"typ": "JWT"}, "type", "wrong type of token"),
        ({"typ": "client-authentication+jwt"}, "type", "wrong type of token"),
        ({"typ": "ostiary-request+jwt"}, "type", "wrong type of token"),
    ],
)
def test_one_fault_is_refused_with_its_reason(world: World, changed: dict[str, Any], check: str, public: str) -> None:
    """standards 47, 48, 49, 60; standards 8 (a client assertion fails here); attack 17."""
    typ = str(changed.get("typ", "at+jwt"))
    claims = {name: value for name, value in changed.items() if name != "typ"}
    token = world.token(typ=typ, **claims)
    refused, record = world.refusal(world.guard(), bearer(token))
    assert (refused.status, refused.code, refused.description) == (401, "invalid_token", public)
    assert failed_check(record) == check
    assert token not in repr(record)


def test_the_trace_of_an_authentic_token_tells_the_passed_checks_too(world: World) -> None:
    _, record = world.refusal(world.guard(), bearer(world.token(exp=1)))
    assert [check.name for check in record.checks][:2] == ["algorithm", "signature"]
    assert record.context == {"method": "GET", "path": "/orders", "api": AUDIENCE}


def test_application_media_type_is_taken_as_the_short_one(world: World) -> None:
    """standards 47."""
    assert world.guard().check_sync(bearer(world.token(typ="application/at+jwt")))


def test_a_token_signed_by_a_stranger_under_a_known_kid_is_refused(world: World) -> None:
    stranger = SigningKey.generate("ES256", kid=world.issuer.key.kid)
    refused, record = world.refusal(world.guard(), bearer(world.token(key=stranger)))
    assert (refused.status, failed_check(record)) == (401, "signature")


def test_a_key_of_an_algorithm_outside_the_issuers_allowlist_is_not_a_key(world: World) -> None:
    """standards 50."""
    ed = SigningKey.generate("EdDSA")
    world.issuer.jwks.append(dict(ed.verification_key.public_jwk()))
    assert world.guard().check_sync(bearer(world.token(key=ed)))
    from ostiary.resource_server import IssuerConfig

    narrow = world.guard(issuer=IssuerConfig(world.issuer.issuer, algorithms=("ES256",)))
    assert failed_check(world.refusal(narrow, bearer(world.token(key=ed)))[1]) == "key"


def test_a_missing_scope_is_403_and_lists_every_scope_needed(world: World) -> None:
    refused, record = world.refusal(world.guard(), bearer(world.token()), "orders:read", "orders:write")
    assert (refused.status, refused.code) == (403, "insufficient_scope")
    assert 'scope="orders:read orders:write"' in refused.headers["WWW-Authenticate"]
    assert failed_check(record) == "scopes"
    assert record.context["client_id"] == "orders-client"


@pytest.mark.parametrize(
    ("held", "needed", "enough"),
    [
        ("orders", "orders:read", True),
        ("orders:read", "orders:read:own", True),
        ("orders:read", "orders", False),
        ("orders:read", "orders:reader", False),
        ("order", "orders:read", False),
    ],
)
def test_a_broader_scope_implies_a_narrower_one(world: World, held: str, needed: str, enough: bool) -> None:
    """standards 114."""
    asked = bearer(world.token(scope=held))
    if enough:
        assert world.guard().check_sync(asked, [needed])
        assert world.refusal(world.guard(implies=exact), asked, needed)[0].status == 403
    else:
        assert world.refusal(world.guard(), asked, needed)[0].status == 403


def test_a_request_without_a_token_is_challenged_without_an_error_code(world: World) -> None:
    """standards 112."""
    refused, _ = world.refusal(world.guard(), request(), "orders:read")
    assert refused.status == 401
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer scope="orders:read", resource_metadata="')
    assert f'resource_metadata="{AUDIENCE}/.well-known/oauth-protected-resource"' in challenge
    assert "error" not in challenge


@pytest.mark.parametrize(
    "asked",
    [
        request(("Authorization", "Bearer a"), ("Authorization", "Bearer a")),
        request(("Authorization", "Bearer")),
        request(("Authorization", "Bearer a b")),
        request(("Authorization", "Bearer a,Bearer b")),
        request(("Authorization", 'Bearer "a"')),
        request(query="access_token=x"),
        request(("Authorization", "Bearer x"), query="a=1&access_token=x"),
        request(query="a=1&access%5Ftoken=x"),
    ],
)
def test_a_malformed_request_is_400(world: World, asked: object) -> None:
    """standards 113."""
    refused, record = world.refusal(world.guard(), asked)  # type: ignore[arg-type]
    assert (refused.status, refused.code) == (400, "invalid_request")
    assert failed_check(record) == "request"


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer", "bEaReR"])
def test_the_scheme_is_compared_without_regard_to_case(world: World, scheme: str) -> None:
    assert world.guard().check_sync(request(("Authorization", f"{scheme} {world.token()}")))


def test_another_scheme_is_no_access_token(world: World) -> None:
    refused, record = world.refusal(world.guard(), request(("Authorization", "Basic dTpw")))
    assert (refused.status, failed_check(record)) == (401, "credential")
    assert "dTpw" not in repr(record)


def test_several_issuers_are_trusted_each_with_its_own_keys(world: World) -> None:
    """standards 48: the key belongs to that issuer."""
    from tests.resource_server.issuer_server import running_issuer

    with running_issuer() as second:
        guard = world.guard(issuer=[world.issuer.issuer, second.issuer])
        assert guard.check_sync(bearer(world.token())).issuer == world.issuer.issuer
        assert guard.check_sync(bearer(world.token(iss=second.issuer, key=second.key))).issuer == second.issuer
        crossed = bearer(world.token(iss=second.issuer))
        assert failed_check(world.refusal(guard, crossed)[1]) == "key"


def test_a_revoked_token_is_refused_even_if_it_was_seen_before(world: World) -> None:
    """attack 33: the place where the feed will speak."""
    from ostiary.errors import VerificationError

    ended: set[str] = set()

    def revoked(principal: object, now: float) -> None:
        if getattr(principal, "token_id", "") in ended:
            raise VerificationError("revocation", "revoked", seen="a row", expected="none", mend="get a new one")

    guard = world.guard(revocation=revoked)
    asked = bearer(world.token())
    assert guard.check_sync(asked)
    ended.add("jti-1")
    assert failed_check(world.refusal(guard, asked)[1]) == "revocation"
