"""An OpenID Provider of the tests' own, which shares no code with Ostiary (joserfc signs); tests bend its answers."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from tests.client.http_server import Received, Reply, Server
from tests.client.oracle import METADATA_PATH, reply_json

Members = dict[str, Any]


class OpenIdProvider:
    """Signs ``usr_ada`` in without asking; each refresh token is good once, a second use ends the grant.

    bend_*: called with the members of an answer before it is sent (the ID token's claims before they are signed).
    """

    def __init__(self, server: Server, clock: Callable[[], float]) -> None:
        self.server = server
        self.issuer = server.url
        self.clock = clock
        self.key = ECKey.generate_key("P-256", {"kid": "op-1", "alg": "ES256", "use": "sig"})
        self.signer = self.key
        self.header: Members = {"alg": "ES256", "kid": "op-1", "typ": "JWT"}
        self.life: object = 600
        self.bend_id_token: Callable[[Members], object] = lambda members: None
        self.bend_tokens: Callable[[Members], object] = lambda members: None
        self.bend_userinfo: Callable[[Members], object] = lambda members: None
        self.before_refresh: Callable[[], object] = lambda: None
        self.sub = "usr_ada"
        self.signed_in_at = int(clock())
        self.asked: dict[str, Members] = {}
        self.refresh_token = ""
        self.ended = False
        self._issued = 0
        self._lock = threading.Lock()
        self.metadata: Members = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/logout",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        server.routes[METADATA_PATH] = lambda _: reply_json(self.metadata)
        server.routes["/jwks"] = lambda _: reply_json({"keys": [self.key.as_dict(private=False)]})
        server.routes["/token"] = self._token
        server.routes["/userinfo"] = self._userinfo

    def sign_in(self, url: str) -> Members:
        """The user follows ``url`` and consents; the parameters that they bring back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}
        code = f"code-{len(self.asked) + 1}"
        self.asked[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def callback(self, url: str) -> str:
        """The URL that the user comes back to."""
        asked = parse_qs(urlsplit(url).query)
        return f"{asked['redirect_uri'][0]}?{urlencode(self.sign_in(url))}"

    @property
    def refreshes(self) -> int:
        return sum(received.form().get("grant_type") == ["refresh_token"] for received in self.server.of("/token"))

    def _token(self, received: Received) -> Reply:
        form = {name: values[0] for name, values in received.form().items()}
        if form["grant_type"] == "authorization_code":
            asked = self.asked.pop(form["code"], None)
            self.signed_in_at = int(self.clock())
            if asked is None or _challenge(form["code_verifier"]) != asked["code_challenge"]:
                return reply_json({"error": "invalid_grant"}, 400)
            return self._answer(asked.get("nonce"))
        self.before_refresh()
        with self._lock:
            if self.ended or form["refresh_token"] != self.refresh_token:
                self.ended = True
                return reply_json({"error": "invalid_grant", "error_description": "reused", "trace": "tr_1"}, 400)
            return self._answer(None)

    def _answer(self, nonce: str | None) -> Reply:
        self._issued += 1
        now = int(self.clock())
        access_token = f"access-{self._issued}"
        self.refresh_token = f"refresh-{self._issued}"
        claims: Members = {
            "iss": self.issuer,
            "sub": self.sub,
            "aud": "app",
            "exp": now + 300,
            "iat": now,
            "auth_time": self.signed_in_at,
            "at_hash": _half(access_token),
            "acr": "urn:ostiary:acr:one-factor",
        }
        if nonce is not None:
            claims["nonce"] = nonce
        self.bend_id_token(claims)
        members: Members = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": self.life,
            "refresh_token": self.refresh_token,
            "id_token": self.signed(claims),
        }
        self.bend_tokens(members)
        return reply_json(members)

    def signed(self, claims: Members) -> str:
        """A JWT of the provider."""
        return jwt.encode(self.header, claims, self.signer, algorithms=[self.header["alg"]])

    def _userinfo(self, received: Received) -> Reply:
        if not received.headers.get("authorization", "").startswith("Bearer access-"):
            return Reply(401)
        members: Members = {"sub": self.sub, "name": "Ada"}
        replaced = self.bend_userinfo(members)
        if isinstance(replaced, str):
            return Reply(200, replaced.encode(), {"Content-Type": "application/jwt"})
        return Reply(200, json.dumps(members).encode(), {"Content-Type": "application/json"})


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _half(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=")
