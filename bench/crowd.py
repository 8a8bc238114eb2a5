"""Very many clients and live access tokens, as rows in the tables: what years of use leave, in minutes.

Each client has its key and its standing grant; half of the tokens are reference tokens. Some of the clients,
spread over all, have keys that can sign, and their reference tokens are known: those are asked about.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from bench.bulk import Rows, fill
from bench.contenders import INVOICES, ORDERS
from ostiary.backup.databases import database
from ostiary.backup.shape import Shape
from ostiary.model.client import Client
from ostiary.model.client_key import ClientKey
from ostiary.model.grant import Grant
from ostiary.model.token import AccessToken
from ostiary.protocol import token_format
from ostiary.protocol.jwk import SigningKey
from ostiary.storage.json_columns import to_json
from ostiary.storage.schema import ACCESS_TOKENS, CLIENT_KEYS, CLIENTS, GRANTS, METADATA

_LIFE: Final = 86_400
_SCOPE: Final = "orders:read"
_JSON: Final = frozenset({"grant_types", "scopes", "login", "mutual_tls"})
# Neighbours in time belong to clients that are far from one another: no factor of any number of clients.
_STRIDE: Final = 1_000_003


@dataclass(slots=True)
class Crowd:
    """clients, tokens: how many; asked: how many of the clients can sign.

    keys: of those, by ``client_id``; known: their reference tokens, each with its client.
    """

    clients: int
    tokens: int
    asked: int
    now: int = field(default_factory=lambda: int(time.time()))
    keys: dict[str, SigningKey] = field(default_factory=dict)
    known: list[tuple[str, str]] = field(default_factory=list)

    def move_in(self, url: str) -> None:
        """Fill the tables of the installation at ``url``, that nobody serves meanwhile."""
        installation = _value(url, "settings", "value", "name = 'installation_id'")
        kid = _value(url, "signing_keys", "kid", "alg = 'ES256'")
        step = self.clients // self.asked
        asked = range(0, step * self.asked, step)
        self.keys = {_client_id(number): SigningKey.generate("ES256") for number in asked}
        everybody = range(self.clients)
        fill(
            url,
            [
                Rows.of(CLIENTS, self.clients, (_dumped(self._client(one)) for one in everybody)),
                Rows.of(GRANTS, self.clients, (_dumped(self._grant(one)) for one in everybody)),
                Rows.of(CLIENT_KEYS, self.clients, (_dumped(self._key(one)) for one in everybody)),
                Rows(ACCESS_TOKENS.name, AccessToken.__struct_fields__, self.tokens, self._tokens(installation, kid)),
            ],
        )

    def _client(self, number: int) -> Client:
        return Client(
            client_id=_client_id(number),
            name=f"Client {number}",
            kind="client",
            state="active",
            owner=f"team-{number % 500}",
            source="registered",
            authentication_method="private_key_jwt",
            grant_types=("client_credentials",),
            scopes={ORDERS: (_SCOPE,), INVOICES: (_SCOPE,)},
            token_life=None,
            jwks_uri=None,
            may_register_keys=False,
            max_concurrency=64,
            grant_id=_grant_id(number),
            created_at=self.now,
            updated_at=self.now,
        )

    def _grant(self, number: int) -> Grant:
        name = _client_id(number)
        return Grant(_grant_id(number), name, name, "client_credentials", self.now, None, None)

    def _key(self, number: int) -> ClientKey:
        name = _client_id(number)
        thumbprint, jwk = self._public(name)
        return ClientKey(
            client_id=name,
            kid=thumbprint,
            thumbprint=thumbprint,
            alg="ES256",
            jwk=jwk,
            source="registered",
            state="active",
            owner=f"team-{number % 500}",
            not_before=self.now - 60,
            expires_at=None,
            parent=None,
            created_at=self.now,
            last_used_at=None,
        )

    def _public(self, client_id: str) -> tuple[str, str]:
        key = self.keys.get(client_id)
        if key is not None:
            return key.verification_key.thumbprint, to_json(key.verification_key.public_jwk())
        # Nobody asks in its name, so it need not be a point on the curve; it is as long as one.
        thumbprint, x, y = (_random_text() for _ in range(3))
        return thumbprint, to_json({"alg": "ES256", "crv": "P-256", "kid": thumbprint, "kty": "EC", "x": x, "y": y})

    def _tokens(self, installation: str, kid: str) -> Iterator[tuple[Any, ...]]:
        """Issued evenly over the last hours, in the order of their ``jti``, as a server writes them."""
        for number in range(self.tokens):
            at = 1000 * (self.now - _LIFE // 2) + 1000 * (_LIFE // 2 - 60) * number // self.tokens
            client = number * _STRIDE % self.clients
            reference = number // self.clients % 2 == 0
            digest = self._digest(_client_id(client), installation) if reference else None
            yield msgspec.structs.astuple(_token(client, at, digest, None if reference else kid))

    def _digest(self, client_id: str, installation: str) -> bytes:
        if client_id not in self.keys:
            return secrets.token_bytes(32)
        text = token_format.generate(token_format.REFERENCE_ACCESS_TOKEN, installation)
        self.known.append((client_id, text))
        return token_format.digest(text)


def _token(client: int, at: int, digest: bytes | None, kid: str | None) -> AccessToken:
    name = _client_id(client)
    return AccessToken(
        jti=f"{at:012x}{secrets.token_hex(12)}",
        format="self-contained" if digest is None else "reference",
        digest=digest,
        client_id=name,
        subject=name,
        grant_id=_grant_id(client),
        audience=ORDERS if digest is None else INVOICES,
        scope=_SCOPE,
        key_thumbprint=secrets.token_urlsafe(32),
        signing_kid=kid,
        rev=0,
        issued_at=at // 1000,
        expires_at=at // 1000 + _LIFE,
    )


def _client_id(number: int) -> str:
    return f"client-{number:08}"


def _grant_id(number: int) -> str:
    return f"gr_{number:036x}"


def _random_text() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def _dumped(record: Client | Grant | ClientKey) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in type(record).__dataclass_fields__}
    return {name: to_json(value) if name in _JSON and value is not None else value for name, value in values.items()}


def _value(url: str, table: str, column: str, condition: str) -> str:
    shape = Shape.of(METADATA.tables[table])
    with database(url).view() as view:
        rows: Iterable[Any] = view.rows(shape, condition)
        return str(next(iter(rows))[shape.names.index(column)])
