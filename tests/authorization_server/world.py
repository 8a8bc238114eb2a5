"""A whole authorization server in a temporary folder: real SQLite, real signing keys, a clock that is set by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from ostiary.authorization_server.asgi import create_asgi
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.authorization_server.identifiers import new_jti
from ostiary.authorization_server.registry import Registry
from ostiary.authorization_server.seals import Seals
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.certificate_authority.authorities import Authorities
from ostiary.key_management.file import FileKeyManagement
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.model.api import Api
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.model.grant import Grant
from ostiary.protocol import client_assertion, jws
from ostiary.protocol.jwk import SigningKey, VerificationKey
from ostiary.revocation_feed.memory import MemoryWakeUps
from ostiary.settings import Settings
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.storage.sqlite import SqliteStorage
from ostiary.trace import TraceRecord
from tests.real_parts.migrated import put_migrated

T = TypeVar("T")
ISSUER = "https://auth.example.com"
ORDERS = "https://orders.example.com"
BILLS = "https://bills.example.com"
NOW = 1_800_000_000.5
BUDGETS = ("unauthenticated_refusals_per_minute", "unauthenticated_refusals_per_minute_and_address")


@cache
def signing_key(name: str, alg: str = "ES256") -> SigningKey:
    """One key pair a name, made once in a run."""
    return SigningKey.generate(alg, kid=name)


@dataclass(frozen=True)
class Answer:
    """What came back over ASGI."""

    status: int
    headers: dict[str, str]
    body: bytes

    raw_headers: tuple[tuple[str, str], ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def all_headers(self, name: str) -> list[str]:
        """Every value of a header that may stand several times."""
        return [value for found, value in self.raw_headers if found == name]


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Published:
    """Keys by reference, as if fetched."""

    def __init__(self) -> None:
        self.keys: dict[str, list[VerificationKey]] = {}

    async def find(self, client: Client, kid: str | None) -> list[VerificationKey]:
        return [key for key in self.keys.get(client.client_id, []) if kid is None or key.kid == kid]


class World:
    """Build with ``world(folder)``; every method that acts runs the loop to its end, so tests are plain functions.

    certificate: DER, that of every connection from now on.

    storage: what it stands on, not open yet, its schema there; default: SQLite in ``folder``.
    """

    def __init__(
        self, folder: Path, *, issuer: str = ISSUER, clock: Clock | None = None, storage: Storage | None = None
    ) -> None:
        self.folder = folder
        self._given_storage = storage
        self.clock = clock or Clock()
        self.runner = asyncio.Runner()
        self.events: list[tuple[str, dict[str, str]]] = []
        self.published = Published()
        self.certificate: bytes | None = None
        self.settings = self._settings(issuer)
        self.server = self.run(self._open())
        self.app = create_asgi(self.server)

    def _settings(self, issuer: str) -> Settings:
        kek = self.folder / "kek"
        if not kek.exists():
            create_key_encryption_key(kek)
            put_migrated(self.folder / "ostiary.db")
        # Tests look at the trace of every refusal; what bounds them is tested in test_unauthenticated.py.
        audit = dict.fromkeys(BUDGETS, 1_000_000)
        return Settings.model_validate(
            {"issuer": issuer, "keys": {"key_encryption_key_file": str(kek)}, "audit": audit}
            | {"certificate_authority": {"trust_domain": "trust.example.com"}}
        )

    async def _open(self) -> AuthorizationServer:
        self.storage: Storage = self._given_storage or SqliteStorage(self.folder / "ostiary.db", clock=self.clock)
        await self.storage.open()
        management = FileKeyManagement.from_settings(self.settings.keys)
        self.signing_keys = SigningKeys(self.storage, management, self.settings, self.clock)
        await self.signing_keys.ensure(("ES256",))
        published: Any = self.published
        registry = Registry(self.storage, self.signing_keys, published, self.clock)
        seals = Seals(self.storage, management)
        await seals.ready()
        wake_ups = MemoryWakeUps()
        self.storage.after_revocation = wake_ups.ring
        return AuthorizationServer(
            self.settings,
            self.storage,
            registry,
            self.signing_keys,
            published,
            seals,
            Authorities(self.storage, management, self.settings, self.clock),
            self.clock,
            wake_ups=wake_ups,
            on_event=lambda name, labels: self.events.append((name, dict(labels))),
        )

    def close(self) -> None:
        self.run(self.storage.close())
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    # -- what is registered -------------------------------------------------------------------------------------------

    def write(self, *acts: Any) -> list[Any]:
        """Run functions of a unit of work in one transaction."""

        async def inside() -> list[Any]:
            async with self.storage.write() as work:
                return [await act(work) for act in acts]

        return self.run(inside())

    def read(self, act: Any) -> Any:
        async def inside() -> Any:
            async with self.storage.read() as work:
                return await act(work)

        return self.run(inside())

    def add_client(self, client_id: str = "shop", **changes: Any) -> Client:
        """A client with its grant, and a key whose kid is ``<client_id>-1`` unless ``key`` is None."""
        key = changes.pop("key", f"{client_id}-1")
        client = replace(_client(client_id), **changes)
        grant = Grant(client.grant_id, client_id, client_id, "client_credentials", int(NOW), None, None)

        async def act(work: UnitOfWork) -> None:
            await work.clients.add(client)
            await work.grants.add(grant)
            if key is not None:
                await work.client_keys.add(client_key(client_id, key))

        self.write(act)
        return client

    def add_api(self, identifier: str = ORDERS, **changes: Any) -> Api:
        """An API with its own identity ``api_<host>`` and that identity's key."""
        name = identifier.removeprefix("https://").split(".")[0]
        api = replace(_api(identifier, name), **changes)
        if api.client_id is not None:
            self.add_client(api.client_id, kind="api", scopes={}, grant_types=())
        self.write(lambda work: work.apis.add(api))
        return api

    def add_key(self, client_id: str, kid: str, **changes: Any) -> ClientKey:
        key = replace(client_key(client_id, kid), **changes)
        self.write(lambda work: work.client_keys.add(key))
        return key

    # -- requests -----------------------------------------------------------------------------------------------------

    def assertion(self, client_id: str = "shop", kid: str | None = None, /, **changes: Any) -> str:
        """A client assertion; ``changes`` replace claims, None leaves one out; ``typ`` and ``key`` go elsewhere."""
        key: SigningKey = changes.pop("key", None) or signing_key(kid or f"{client_id}-1")
        typ = changes.pop("typ", client_assertion.TYP)
        payload = client_assertion.build(client_id, self.settings.issuer, now=self.clock(), jti=new_jti(self.clock()))
        claims = {**json.loads(payload), **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jws.sign(json.dumps(claims).encode(), key, typ=typ)

    def form(self, client_id: str = "shop", /, **parameters: Any) -> dict[str, str]:
        """The parameters by which a client authenticates, and more."""
        assertion = parameters.pop("assertion", None) or self.assertion(client_id)
        given = {"client_assertion_type": client_assertion.ASSERTION_TYPE, "client_assertion": assertion}
        return {name: value for name, value in (given | parameters).items() if value is not None}

    def token_form(self, client_id: str = "shop", /, **parameters: Any) -> dict[str, str]:
        return self.form(client_id, **({"grant_type": "client_credentials"} | parameters))

    def post(self, path: str, form: Mapping[str, str] | bytes, **headers: str) -> Answer:
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"content-type": "application/x-www-form-urlencoded"} | named
        return self.run(self.call("POST", path, body, sent))

    def get(self, path: str, **headers: str) -> Answer:
        return self.run(self.call("GET", path, b"", headers))

    def token(self, client_id: str = "shop", /, **parameters: Any) -> Answer:
        return self.post("/token", self.token_form(client_id, **parameters))

    def access_token(self, client_id: str = "shop", /, **parameters: Any) -> str:
        answer = self.token(client_id, **parameters)
        assert answer.status == 200, answer.body
        return str(answer.json["access_token"])

    def introspect(self, token: str, api: str = "api_orders") -> Answer:
        return self.post("/introspect", self.form(api, token=token))

    async def call(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        messages: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        tls = {"extensions": {"tls": {"client_certificate": self.certificate}}}
        await self.app(scope(method, path, headers) | tls, receive, send)
        told = tuple((name.decode(), value.decode()) for name, value in sent[0]["headers"])
        return Answer(sent[0]["status"], dict(told), sent[1]["body"], told)

    # -- what was written ---------------------------------------------------------------------------------------------

    def trace(self, answer: Answer) -> TraceRecord:
        """The trace of a refusal, found by the id that its caller was given."""
        found = self.read(lambda work: work.traces.get(answer.json["trace"]))
        assert found is not None, answer.body
        record: TraceRecord = found[0]
        return record

    def audit(self) -> list[Any]:
        rows: list[Any] = self.read(lambda work: work.audit.query(limit=1000))
        return rows


@contextmanager
def shop_world(folder: Path, *, issuer: str = ISSUER, storage: Storage | None = None) -> Iterator[World]:
    """The usual world: the APIs of orders and of bills, the clients ``shop`` (orders) and ``other`` (bills)."""
    world = World(folder, issuer=issuer, storage=storage)
    try:
        world.add_api(ORDERS)
        world.add_api(BILLS, scopes={"bills:read": "read"})
        world.add_client("shop")
        world.add_client("other", scopes={BILLS: ("bills:read",)})
        yield world
    finally:
        world.close()


def scope(method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    raw = [(name.lower().replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": raw,
        "client": ("192.0.2.7", 40000),
        "query_string": query.encode("ascii"),
    }


def client_key(client_id: str, kid: str) -> ClientKey:
    key = signing_key(kid).verification_key
    now = int(NOW)
    return ClientKey(
        client_id=client_id,
        kid=kid,
        thumbprint=key.thumbprint,
        alg=key.alg,
        jwk=json.dumps(key.public_jwk()),
        source="registered",
        state="active",
        owner="team",
        not_before=now - 60,
        expires_at=None,
        parent=None,
        created_at=now,
        last_used_at=None,
    )


def _client(client_id: str) -> Client:
    return Client(
        client_id=client_id,
        name=client_id,
        kind="client",
        state="active",
        owner="team",
        source="registered",
        authentication_method="private_key_jwt",
        grant_types=("client_credentials",),
        scopes={ORDERS: ("orders:read", "orders:write")},
        token_life=None,
        jwks_uri=None,
        may_register_keys=False,
        max_concurrency=100,
        grant_id=f"gr_{client_id}",
        created_at=int(NOW),
        updated_at=int(NOW),
    )


def _api(identifier: str, name: str) -> Api:
    return Api(
        identifier=identifier,
        name=name,
        state="active",
        source="registered",
        owner="team",
        client_id=f"api_{name}",
        scopes={"orders:read": "read", "orders:write": "write"},
        token_format="self-contained",
        token_alg="ES256",
        token_life=600,
        created_at=int(NOW),
        updated_at=int(NOW),
    )
