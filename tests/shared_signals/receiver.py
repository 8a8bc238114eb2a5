"""A receiver of security events as somebody else would write it: HTTP, JSON, and joserfc for the tokens."""

from __future__ import annotations

import json
from typing import Any

from joserfc import jws
from joserfc.jwk import KeySet

from ostiary.admin.limits import Limits
from ostiary.admin.signal_streams import allow_receiver
from ostiary.model.user import User
from ostiary.protocol.event_types import SENT
from ostiary.revocation import Act
from tests.authorization_server.applications import (
    add_application,
    add_user,
    authorize_url,
    code_for,
    redeem,
    sign_in,
)
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import ISSUER, Answer, World

POLL = "urn:ietf:rfc:8936"
PUSH = "urn:ietf:rfc:8935"
RESOURCE = f"{ISSUER}/ssf"


class Receiver:
    """The application ``client_id``, which may have a stream. ``stream`` is its configuration, once it has made one."""

    def __init__(self, world: World, client_id: str = "app", *, allow: bool = True, **changes: Any) -> None:
        self.world = world
        self.client_id = client_id
        self.stream: dict[str, Any] = {}
        self._token = ""
        add_application(world, client_id, **changes)
        if allow:
            limits, act = Limits.of(world.settings), Act("cli", world.clock())
            world.run(allow_receiver(world.storage, limits, ISSUER, client_id, act))

    def token(self, scope: str = "ssf.manage ssf.read") -> str:
        return self.world.access_token(self.client_id, resource=RESOURCE, scope=scope)

    @property
    def token_now(self) -> str:
        """The token that every call bears."""
        self._token = self._token or self.token()
        return self._token

    def call(self, method: str, path: str, body: object = None, *, token: str | None = None) -> Answer:
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self.token_now if token is None else token}"}
        return self.world.run(self.world.call(method, path, sent, headers))

    def renew(self) -> None:
        """Forget the token, so that the next call bears a new one."""
        self._token = ""

    def create(self, **members: Any) -> dict[str, Any]:
        answer = self.call("POST", "/ssf/streams", {"events_requested": list(SENT)} | members)
        assert answer.status == 201, answer.body
        self.stream = answer.json
        return self.stream

    @property
    def stream_id(self) -> str:
        return str(self.stream["stream_id"])

    def post(self, path: str, **members: Any) -> Answer:
        return self.call("POST", path, {"stream_id": self.stream_id} | members)

    def poll(self, **members: Any) -> Answer:
        return self.call("POST", f"/ssf/poll/{self.stream_id}", {"returnImmediately": True} | members)

    def events(self, **members: Any) -> list[dict[str, Any]]:
        """The verified claims of what waits, oldest first; nothing is acknowledged."""
        answer = self.poll(**members)
        assert answer.status == 200, answer.body
        return [self.verified(token) for token in answer.json["sets"].values()]

    def verified(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(self.world.get("/jwks").json)
        found = jws.deserialize_compact(token, keys, algorithms=["ES256"])
        assert found.headers()["typ"] == "secevent+jwt"
        claims: dict[str, Any] = json.loads(found.payload or b"")
        assert (claims["iss"], claims["aud"]) == (ISSUER, self.client_id)
        assert not {"exp", "sub"} & claims.keys()
        return claims


def user_of(world: World, name: str, *client_ids: str) -> tuple[User, Browser]:
    """A user who has signed in at these applications, all in one browser."""
    user, browser = add_user(world, name), Browser(world)
    sign_in(browser, user)
    for client_id in client_ids:
        assert redeem(world, code_for(browser, authorize_url(client_id)), client_id).status == 200
    return user, browser


def only(claims: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The short name of the only event, and what it says."""
    [(event_type, event)] = claims["events"].items()
    return event_type.rpartition("/")[2], event


def names(events: list[dict[str, Any]]) -> list[str]:
    return [only(claims)[0] for claims in events]
