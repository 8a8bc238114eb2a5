"""An authorization server of the tests' own, which judges by joserfc and shares no code with Ostiary."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from tests.client.http_server import Received, Reply, Server

METADATA_PATH = "/.well-known/oauth-authorization-server"


def reply_json(members: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(members).encode(), {"Content-Type": "application/json", **headers})


class AuthorizationServer:
    """Issues ``token-1``, ``token-2``, ... to ``client_id`` for assertions that joserfc finds good.

    before_answer: called in each token request, before it is answered; answer: replaces the answer if it gives one.
    """

    def __init__(self, server: Server, client_id: str, public_jwk: dict[str, str], clock: Callable[[], float]) -> None:
        self.server = server
        self.issuer = server.url
        self.client_id = client_id
        self.life: object = 600
        self.before_answer: Callable[[], None] = lambda: None
        self.answer: Callable[[], Reply | None] = lambda: None
        self.problems: list[str] = []
        self.claims: list[dict[str, object]] = []
        self.register(public_jwk)
        self._clock = clock
        self._lock = threading.Lock()
        self._issued = 0
        self.metadata: dict[str, object] = {
            "issuer": self.issuer,
            "token_endpoint": f"{self.issuer}/token",
            "introspection_endpoint": f"{self.issuer}/introspect",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "ostiary_next_key_endpoint": f"{self.issuer}/client-keys/next",
        }
        server.routes[METADATA_PATH] = lambda _: reply_json(self.metadata)
        server.routes["/token"] = self._token

    def register(self, public_jwk: dict[str, str]) -> None:
        """Let this be the client's only key from now on."""
        self._keys = KeySet([ECKey.import_key(dict(public_jwk))])

    @property
    def token_requests(self) -> int:
        return len(self.server.of("/token"))

    def proven(self, received: Received) -> bool:
        """Whether the request holds an assertion of the client for this issuer, alone; the claims are kept."""
        form = received.form()
        try:
            assertion = jws.deserialize_compact(form["client_assertion"][0], self._keys, algorithms=["ES256"])
        except JoseError:
            return False
        claims = json.loads(assertion.payload or b"{}")
        now = self._clock()
        checks = {
            "type": form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
            "typ": assertion.headers().get("typ") == "client-authentication+jwt",
            "iss": claims["iss"] == self.client_id,
            "sub": claims["sub"] == self.client_id,
            "aud": claims["aud"] == self.issuer,
            "exp": now < claims["exp"] <= now + 300,
            "jti": claims["jti"] not in [earlier["jti"] for earlier in self.claims],
        }
        with self._lock:
            self.claims.append(claims)
            self.problems += [name for name, passed in checks.items() if not passed]
        return all(checks.values())

    def _token(self, received: Received) -> Reply:
        self.before_answer()
        if not self.proven(received):
            return reply_json({"error": "invalid_client", "error_description": "unproven", "trace": "tr_1"}, 401)
        replaced = self.answer()
        if replaced is not None:
            return replaced
        with self._lock:
            self._issued += 1
            token = f"token-{self._issued}"
        return reply_json({"access_token": token, "token_type": "Bearer", "expires_in": self.life})
