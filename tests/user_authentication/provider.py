"""An OpenID Provider in the process, which does as it is told: well, or wrong in one thing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ostiary.authorization_server.upstream_providers import UpstreamProviders
from ostiary.errors import Unavailable
from ostiary.fetching.guarded import Content, Fetched
from ostiary.protocol import id_token, jws, pkce
from ostiary.protocol.jwk import SigningKey
from ostiary.settings import Settings
from tests.authorization_server.world import ISSUER, signing_key
from tests.user_authentication.browser import Browser, Page, PeopleWorld

WORKS, OTHER = "https://works.example", "https://other.example"
SECRET = "upstream-client-secret"


@dataclass
class Provider:
    """metadata, claims, tokens, userinfo: what is changed of each answer; None leaves a member out."""

    issuer: str = WORKS
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    keys: list[SigningKey] = field(default_factory=lambda: [signing_key("works")])
    signs_with: SigningKey | None = None
    jwks: list[dict[str, Any]] | None = None
    id_token: str | None = None
    status: int = 200
    down: bool = False
    nonce_is_code: bool = False
    requests: list[dict[str, str]] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)

    def answer(self, path: str, form: Mapping[str, str] | None, authorization: str, now: float) -> dict[str, Any]:
        if path.endswith("openid-configuration"):
            return _changed(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/auth",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/jwks",
                    "userinfo_endpoint": f"{self.issuer}/me",
                    "authorization_response_iss_parameter_supported": True,
                },
                self.metadata,
            )
        if path == "/jwks":
            public = [key.verification_key.public_jwk() for key in self.keys]
            return {"keys": self.jwks if self.jwks is not None else public}
        if path == "/me":
            self.requests.append({"authorization": authorization})
            return _changed({"sub": "u1", "preferred_username": "grace", "email": "ada@example.com"}, self.userinfo)
        assert form is not None
        self.requests.append(dict(form) | {"authorization": authorization})
        return self._tokens(now, form["code"] if self.nonce_is_code else self.asked.get("nonce"))

    def _tokens(self, now: float, nonce: str | None) -> dict[str, Any]:
        access_token = "upstream-access-token"
        key = self.signs_with or self.keys[0]
        claims = _changed(
            {
                "iss": self.issuer,
                "sub": "u1",
                "aud": "ostiary",
                "exp": int(now) + 300,
                "iat": int(now),
                "nonce": nonce,
                "at_hash": id_token.half_hash(access_token, key.alg),
            },
            self.claims,
        )
        token = self.id_token or jws.sign(json.dumps(claims).encode(), key, typ="JWT")
        return _changed({"access_token": access_token, "token_type": "Bearer", "id_token": token}, self.tokens)


class Fetcher:
    """The way to the providers."""

    def __init__(self, world: ProviderWorld) -> None:
        self._world = world

    async def fetch(
        self,
        url: str,
        *,
        purpose: str,
        form: Mapping[str, str] | None = None,
        content: Content | None = None,
        authorization: str = "",
        method: str = "",
    ) -> Fetched:
        assert content is None
        assert not method
        parts = urlsplit(url)
        provider = self._world.providers[f"{parts.scheme}://{parts.netloc}"]
        if provider.down:
            raise Unavailable("fetching", "no answer")
        provider.fetched.append(parts.path)
        body = provider.answer(parts.path, form, authorization, self._world.clock())
        is_metadata = parts.path.endswith("openid-configuration") or parts.path == "/jwks"
        return Fetched(200 if is_metadata else provider.status, {}, json.dumps(body).encode())


class ProviderWorld(PeopleWorld):
    """A world with the upstreams ``works`` and ``other``; upstream: further settings of ``works``."""

    def __init__(self, folder: Path, **upstream: Any) -> None:
        self.upstream = upstream
        self.providers = {WORKS: Provider(), OTHER: Provider(OTHER)}
        super().__init__(folder)
        self.server.upstreams = UpstreamProviders(Fetcher(self), self.clock)

    def _settings(self, issuer: str) -> Settings:
        plain = {"client_id": "ostiary", "client_secret": SECRET}
        upstream = {
            "works": {"issuer": WORKS, "name": "Works", **plain, **self.upstream},
            "other": {"issuer": OTHER, "name": "Other", **plain},
        }
        given = super()._settings(issuer).model_dump(exclude_unset=True)
        return Settings.model_validate(given | {"upstream": upstream})

    @property
    def works(self) -> Provider:
        return self.providers[WORKS]


def start(browser: Browser, page: Page | None = None, form: str = "upstream-works") -> dict[str, str]:
    """Send the form that leads to the provider; the parameters that the browser brings there."""
    page = page or browser.open(f"{ISSUER}/sign-in")
    sent = browser.send(page, form, follow=False)
    assert sent.status == 200, sent.html
    target = sent.header("refresh").removeprefix("0;url=")
    parts = urlsplit(target)
    asked = {name: value for name, (value,) in parse_qs(parts.query).items()} | {"to": target.partition("?")[0]}
    assert isinstance(browser.world, ProviderWorld)
    browser.world.providers[f"{parts.scheme}://{parts.netloc}"].asked = asked
    return asked


def come_back(browser: Browser, asked: dict[str, str], upstream: str = "works", /, **changes: str | None) -> Page:
    """The provider sends the browser back."""
    answer = {"code": "c1", "state": asked["state"], "iss": WORKS} | changes
    query = urlencode({name: value for name, value in answer.items() if value is not None})
    return browser.call("GET", f"{ISSUER}/upstream/{upstream}/callback?{query}")


def challenge_of(form: dict[str, str]) -> str:
    return pkce.challenge(form["code_verifier"])


def _changed(members: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (members | changes).items() if value is not None}
