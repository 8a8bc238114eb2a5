"""The pytest plugin: tokens for an API's own tests, without a network.

The fixture ``ostiary_tokens`` makes a guard trust a test key in the place of its issuers' keys until the test ends, and
gives tokens of its issuer, for its audience. No revocation feed is followed meanwhile; the test says what is revoked::

    def test_orders(client, ostiary_tokens):
        tokens = ostiary_tokens(guard)
        assert client.get("/orders", headers=tokens.headers("orders:read")).status_code == 200
        assert client.get("/orders", headers=tokens.bearer(tokens.scope_poor())).status_code == 403
        assert client.get("/orders", headers=tokens.bearer(tokens.expired())).status_code == 401
        tokens.revoke(token := tokens.valid("orders:read"))
        assert client.get("/orders", headers=tokens.bearer(token)).status_code == 401

Where the tests run, the API has no key of its own: ``OSTIARY_REVOCATION=until_expiry`` in their environment says that
the guard needs none.

A token that is bound to a certificate is tried with that certificate, and with another (RFC 8705)::

        own = tokens.certificate("own")
        headers = tokens.bearer(tokens.bound("orders:read", certificate=own))
        assert TestClient(tokens.over_tls(app, own)).get("/orders", headers=headers).status_code == 200
        assert TestClient(tokens.over_tls(app, None)).get("/orders", headers=headers).status_code == 401

Every check of the guard runs as in production; only where its keys and its knowledge of revocations come from is
different. Nothing but pytest is imported until the fixture is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ostiary.protocol.jwk import SigningKey
    from ostiary.resource_server.core import ResourceServer
    from ostiary.resource_server.needs import RevocationHook
    from ostiary.resource_server.principal import Principal
    from ostiary.resource_server.revocations import Revocations
    from ostiary.resource_server.testing_certificates import App, ClientCertificate
    from ostiary.resource_server.watch import RevocationChoice

FOREIGN_ISSUER = "https://foreign-issuer.invalid"
FOREIGN_AUDIENCE = "https://foreign-api.invalid"


class TestTokens:
    """Tokens for one guard, good ones and ones with a single fault."""

    __test__ = False

    def __init__(self, guard: ResourceServer, key: SigningKey, revocations: Revocations) -> None:
        self._guard = guard
        self._key = key
        self._revocations = revocations
        self._number = 0
        self.issuer = next(iter(guard.sources.keys))
        self.audience = guard.audience

    def valid(self, *scopes: str, client_id: str = "test-client", subject: str | None = None, life: int = 300) -> str:
        """A token that the guard admits wherever ``scopes`` are enough. life: seconds."""
        return self.make(scope=" ".join(scopes), client_id=client_id, sub=subject or client_id, life=life)

    def signed_in(
        self,
        *scopes: str,
        subject: str = "usr_test",
        age: float = 0,
        acr: str = "urn:ostiary:acr:one-factor",
        **claims: object,
    ) -> str:
        """A token of a user who signed in ``age`` seconds ago, at the level ``acr``."""
        proved: dict[str, Any] = {"auth_time": self._guard.clock() - age, "acr": acr, "amr": ["pwd"], "sid": "ses_test"}
        return self.make(scope=" ".join(scopes), sub=subject, **(proved | claims))

    def expired(self, *scopes: str) -> str:
        """A token whose time is over."""
        return self.make(scope=" ".join(scopes), life=-120)

    def revoke(self, token: str) -> None:
        """End ``token``, one of these, as the issuer's revocation feed would."""
        from ostiary.protocol import jws
        from ostiary.protocol.revocation_feed import Row

        now = int(self._guard.clock())
        ended = Row(1, "jti", str(jws.parse(token).claims()["jti"]), now + 86_400)
        self._revocations.add([ended], issued_at=now, instant=self._guard.elapsed())

    def scope_poor(self) -> str:
        """A token without any scope."""
        return self.make()

    def foreign_issuer(self, *scopes: str) -> str:
        """A token of an issuer that the guard does not trust."""
        return self.make(iss=FOREIGN_ISSUER, scope=" ".join(scopes))

    def foreign_audience(self, *scopes: str) -> str:
        """A token for another API."""
        return self.make(aud=FOREIGN_AUDIENCE, scope=" ".join(scopes))

    def foreign_key(self, *scopes: str) -> str:
        """A token that a stranger signed under the name of the trusted key."""
        from ostiary.protocol.jwk import SigningKey

        return self.make(scope=" ".join(scopes), key=SigningKey.generate("ES256", kid=self._key.kid))

    def bound(self, *scopes: str, certificate: ClientCertificate, client_id: str = "test-client") -> str:
        """A token that is good in the hands of whoever has ``certificate`` alone."""
        cnf = {"x5t#S256": certificate.thumbprint}
        return self.make(scope=" ".join(scopes), client_id=client_id, sub=client_id, cnf=cnf)

    @staticmethod
    def certificate(name: str = "test-client") -> ClientCertificate:
        """A new client certificate; behind a proxy, ``client_cert`` and ``escaped_pem`` are what its headers hold."""
        from ostiary.resource_server.testing_certificates import self_signed

        return self_signed(name)

    @staticmethod
    def over_tls(app: App, certificate: ClientCertificate | None) -> App:
        """``app`` (ASGI) as if each request came over TLS, with ``certificate`` or with none."""
        from ostiary.resource_server.testing_certificates import over_tls

        return over_tls(app, certificate)

    @staticmethod
    def over_unix_socket(app: App) -> App:
        """``app`` (ASGI) as if each request came by a Unix socket, from a proxy that is known by it."""
        from ostiary.resource_server.testing_certificates import over_unix_socket

        return over_unix_socket(app)

    def headers(self, *scopes: str) -> dict[str, str]:
        """The request headers with a valid token."""
        return self.bearer(self.valid(*scopes))

    @staticmethod
    def bearer(token: str) -> dict[str, str]:
        """The request headers with ``token``."""
        return {"Authorization": f"Bearer {token}"}

    def make(self, *, life: int = 300, key: SigningKey | None = None, typ: str = "at+jwt", **claims: object) -> str:
        """A token with ``claims`` in the place of the usual ones; None leaves one out."""
        from ostiary.protocol import jws, strict_json

        now = int(self._guard.clock())
        self._number += 1
        usual: dict[str, object] = {
            "iss": self.issuer,
            "sub": "test-client",
            "aud": self.audience,
            "client_id": "test-client",
            "exp": now + life,
            "iat": now + min(life, 0),
            "jti": f"test-{self._number}",
            "scope": "",
        }
        members = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jws.sign(strict_json.encode(members), key or self._key, typ=typ)


@contextmanager
def trusted_tokens(guard: ResourceServer) -> Iterator[TestTokens]:
    """Tokens that ``guard`` trusts inside the ``with`` block, where it trusts none of its issuers' own."""
    from ostiary.protocol.jwk import SigningKey
    from ostiary.resource_server.keys import IssuerKeys
    from ostiary.resource_server.revocations import Revocations
    from ostiary.resource_server.watch import Watch

    key, revocations = SigningKey.generate("ES256"), Revocations(guard.verifier.rules.leeway)
    real, watches = dict(guard.sources.keys), dict(guard.sources.watches)
    for issuer, source in real.items():
        held = guard.sources.keys[issuer] = IssuerKeys(source.config, guard.elapsed)
        held.hold([key.verification_key])
        guard.sources.watches[issuer] = Watch(_both(revocations.check, source.config.revocation), float("inf"))
    try:
        yield TestTokens(guard, key, revocations)
    finally:
        guard.sources.keys.update(real)
        guard.sources.watches.update(watches)


def _both(check: RevocationHook, choice: RevocationChoice | None) -> RevocationHook:
    """``check``, and after it a hook of the API's own."""
    if not callable(choice):
        return check
    hook = choice

    def checked(principal: Principal, now: float) -> None:
        check(principal, now)
        hook(principal, now)

    return checked


@pytest.fixture
def ostiary_tokens() -> Iterator[Callable[[ResourceServer], TestTokens]]:
    """``ostiary_tokens(guard)``: tokens that ``guard`` trusts until this test ends."""
    with ExitStack() as trust:
        yield lambda guard: trust.enter_context(trusted_tokens(guard))
