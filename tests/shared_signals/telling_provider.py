"""An upstream provider that tells events, in plain code over real HTTP on loopback; joserfc signs its tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from ostiary.authorization_server.upstream_providers import UpstreamProviders
from ostiary.fetching.guarded import GuardedFetcher
from ostiary.model.factor import Factor
from ostiary.settings import Settings
from tests.authorization_server.world import World
from tests.client.http_server import Received, Reply, Server

AUDIENCE = "ostiary-at-works"
PUSH_SECRET = "only-works-knows-this"
KEY = ECKey.generate_key("P-256", {"kid": "works-1", "alg": "ES256", "use": "sig"})
FORGER = ECKey.generate_key("P-256", {"kid": "works-1", "alg": "ES256", "use": "sig"})


class Provider:
    """waiting: tokens that are handed to polls, by ``jti``; stream: what was made here, None before."""

    def __init__(self, server: Server) -> None:
        self.issuer = server.url
        self.waiting: dict[str, str] = {}
        self.acknowledged: list[str] = []
        self.errors: dict[str, Any] = {}
        self.stream: dict[str, Any] | None = None
        self.down: set[str] = set()
        self.description: dict[str, Any] = {"issuer": self.issuer, "configuration_endpoint": f"{self.issuer}/streams"}
        self.server = server
        routes = {
            "/.well-known/openid-configuration": self._metadata,
            "/.well-known/ssf-configuration": lambda _: _json(self.description),
            "/jwks": lambda _: _json({"keys": [KEY.as_dict(private=False)]}),
            "/token": self._token,
            "/streams": self._streams,
            "/poll": self._poll,
        }
        for path, answer in routes.items():
            server.routes[path] = lambda received, path=path, answer=answer: (  # type: ignore[misc]
                Reply(503) if path in self.down else answer(received)
            )

    def _metadata(self, _: Received) -> Reply:
        return _json(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
            }
        )

    def _token(self, received: Received) -> Reply:
        form = received.form()
        assert form["grant_type"] == ["client_credentials"]
        assert received.headers["authorization"].startswith("Basic ")
        return _json({"access_token": "of-ostiary", "token_type": "Bearer", "expires_in": 300})

    def _streams(self, received: Received) -> Reply:
        if received.headers.get("authorization") != "Bearer of-ostiary":
            return Reply(401)
        if received.method == "GET":
            return _json([self.stream] if self.stream is not None else [])
        members = json.loads(received.body)
        self.stream = {"stream_id": "s-1", **(self.stream or {}), **members}
        if self.stream["delivery"]["method"] == "urn:ietf:rfc:8936":
            self.stream["delivery"]["endpoint_url"] = f"{self.issuer}/poll"
        return _json(self.stream, 201 if received.method == "POST" else 200)

    def _poll(self, received: Received) -> Reply:
        if received.headers.get("authorization") != "Bearer of-ostiary":
            return Reply(401)
        asked = json.loads(received.body)
        self.errors |= asked.get("setErrs", {})
        self.acknowledged += asked.get("ack", [])
        for jti in (*asked.get("ack", []), *asked.get("setErrs", {})):
            self.waiting.pop(jti, None)
        return _json({"sets": dict(list(self.waiting.items())[: asked["maxEvents"]])})

    def requests(self, path: str) -> list[Received]:
        return self.server.of(path)


class ToldWorld(World):
    """A server whose upstream ``works`` tells it events; signals: its settings."""

    def __init__(self, folder: Path, provider: Provider, **signals: Any) -> None:
        self.provider = provider
        self._signals = signals
        super().__init__(folder)
        fetcher = GuardedFetcher(allow_networks=("127.0.0.0/8",), allow_http=True)
        self.server.upstreams = UpstreamProviders(fetcher, self.clock)

    def _settings(self, issuer: str) -> Settings:
        secret = self.folder / "push-secret"
        secret.write_text(PUSH_SECRET + "\n")
        secret.chmod(0o600)
        file = {"push_secret_file": str(secret)} if self._signals.get("delivery") == "push" else {}
        works = {"issuer": self.provider.issuer, "name": "Works", "client_id": AUDIENCE, "client_secret": "s"}
        given = super()._settings(issuer).model_dump(exclude_unset=True)
        plain = {**works, "issuer": "https://other.example"}
        upstream = {"works": works | {"signals": file | self._signals}, "other": plain}
        return Settings.model_validate(given | {"upstream": upstream})

    def link(self, user_id: str, subject: str, issuer: str = "") -> None:
        """``subject`` at the provider, or at another ``issuer``, is this user here."""
        lookup = f"{issuer or self.provider.issuer} {subject}"
        factor = Factor(f"fac_{subject}", user_id, "upstream", "Works", b"", lookup=lookup)
        self.write(lambda work: work.factors.add(factor))

    def claims(self, event: str = "risc/event-type/account-disabled", **changes: Any) -> dict[str, Any]:
        """A good token's claims; event: its type below OpenID's own; ``saying``: what it says."""
        now = int(self.clock())
        said = changes.pop("saying", {})
        given = {
            "iss": self.provider.issuer,
            "aud": AUDIENCE,
            "iat": now,
            "jti": f"j-{now}-{event}",
            "sub_id": {"format": "iss_sub", "iss": self.provider.issuer, "sub": "u-1"},
            "events": {f"https://schemas.openid.net/secevent/{event}": said},
        }
        return {name: value for name, value in (given | changes).items() if value is not None}

    def sessions(self, user_id: str = "usr_ada") -> int:
        return len(self.read(lambda work: work.sessions.of_user(user_id)))

    def signal_rows(self) -> list[Any]:
        return [row for row in self.audit() if row.tag.startswith("upstream_signal:")]


def signed(claims: dict[str, Any], *, key: ECKey = KEY, typ: str | None = "secevent+jwt", **header: Any) -> str:
    named = {"alg": "ES256", "kid": key.kid} | ({"typ": typ} if typ else {}) | header
    return jws.serialize_compact(named, json.dumps(claims), key, algorithms=["ES256"])


@contextmanager
def told_world(folder: Path, **signals: Any) -> Iterator[ToldWorld]:
    with Server() as server:
        world = ToldWorld(folder, Provider(server), **signals)
        try:
            yield world
        finally:
            world.close()


def _json(members: object, status: int = 200) -> Reply:
    return Reply(status, json.dumps(members).encode(), {"Content-Type": "application/json"})
