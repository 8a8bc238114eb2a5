"""The admin API on a whole authorization server, asked over ASGI with tokens of its own token endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from ostiary.admin.api import create_admin_app
from ostiary.admin.bootstrap import bootstrap
from ostiary.admin.limits import Limits
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from tests.authorization_server.world import ISSUER, World, signing_key

ADMIN = f"{ISSUER}/admin"
ALL = "admin:read admin:write"


class Standing:
    """Whatever stands at this moment: the server, or a part of it."""

    def __init__(self, now: Callable[[], object]) -> None:
        self._now = now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now(), name)


class App:
    """The admin API of one room after the other: FastAPI takes far longer to build it than a test to ask it."""

    server: AuthorizationServer

    def __init__(self) -> None:
        standing: Any = Standing(lambda: self.server)
        # Routes take these when they are built.
        standing.storage = Standing(lambda: self.server.storage)
        standing.clock = lambda: self.server.clock()
        self._standing = standing

    def of(self, server: AuthorizationServer) -> FastAPI:
        """The API, which from now on is that of ``server``. Of settings, routes keep the limits of the first one."""
        self.server = server
        return self._built

    @cached_property
    def _built(self) -> FastAPI:
        return create_admin_app(self._standing)


_APP = App()


class Room:
    """A World with the administrator ``chief``; ``ask`` sends one request and gives its answer."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.limits = Limits.of(self.world.settings)
        self.app = _APP.of(self.world.server)
        self.world.run(self._bootstrap())
        self.key = signing_key("chief-1")
        self.tls_certificate: bytes | None = None

    async def _bootstrap(self) -> None:
        key = signing_key("chief-1").verification_key
        await bootstrap(self.world.storage, self.limits, ISSUER, "chief", key, self.act())

    def act(self) -> Act:
        return Act("cli", self.world.clock())

    def token(self, scope: str = ALL, client_id: str = "chief") -> str:
        return self.world.access_token(client_id, resource=ADMIN, scope=scope)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
        content: bytes | None = None,
    ) -> httpx2.Response:
        """With a fresh token for everything, unless ``token`` or ``headers`` are given."""
        if headers is None:
            headers = {"Authorization": f"Bearer {self.token() if token is None else token}"}
        return self.world.run(self._send(method, path, body, headers, content))

    async def _send(self, method: str, path: str, body: object, headers: Any, content: bytes | None) -> httpx2.Response:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            tls = {"client_certificate": self.tls_certificate}
            await self.app({**scope, "extensions": {"tls": tls}}, receive, send)

        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.7", 40000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://management") as http:
            if content is not None:
                return await http.request(method, path, content=content, headers=headers)
            return await http.request(method, path, json=body, headers=headers)

    def make(self, path: str, body: object) -> Any:
        answer = self.ask("POST", path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def tags(self) -> list[str]:
        """What was audited, the oldest first, without the tests' own tokens and reading."""
        return [row.tag for row in self.world.audit() if row.tag not in ("token:issued", "admin:read")]

    def close(self) -> None:
        self.world.close()


def public(key: SigningKey) -> str:
    """The public half as a document."""
    return json.dumps(key.verification_key.public_jwk())


def private(key: SigningKey) -> str:
    """The private half as a document, which no server may take."""
    return json.dumps(key.private_jwk())
