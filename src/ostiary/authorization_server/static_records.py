"""What the clients and APIs of ``ostiary.toml`` ask for: their key files read, contradictions refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ostiary.authorization_server.certificate_keys import certificate_key
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.api import Api
from ostiary.model.client import Client, ClientKind
from ostiary.model.client_key import ClientKey
from ostiary.model.login_rules import grant_types_for
from ostiary.protocol import certificate, token_format
from ostiary.protocol.jwk import MAX_DOCUMENT_BYTES, VerificationKey, parse_public_keys
from ostiary.secret_files import read_secret_file
from ostiary.settings.sections import Settings
from ostiary.settings.static import API_CLIENT_PREFIX, StaticApi, StaticClient


@dataclass(frozen=True, slots=True)
class StaticRecords:
    """clients by client_id (the identities of APIs too), their keys by thumbprint, apis by identifier."""

    clients: dict[str, Client]
    keys: dict[str, ClientKey]
    apis: dict[str, Api]


def static_records(settings: Settings, now: int) -> StaticRecords:
    """The records that the settings ask for, as made at ``now`` (seconds since the epoch); grants are not made yet.

    Raises ConfigurationError: a key file that cannot be read, a weak, private or shared key, one key for two clients.
    """
    clients = dict(_clients(settings, now))
    keys: dict[str, ClientKey] = {}
    for client_id, paths in _key_files(settings):
        for path in paths:
            for key in _read(path):
                _add(keys, _record(key, clients[client_id], now), clients, path)
    for client_id, client in settings.static.clients.items():
        for path in client.certificates:
            for registered in _read_certificates(path, clients[client_id], now):
                _add(keys, registered, clients, path)
    apis = {api.identifier: _api(settings, name, api, now) for name, api in settings.static.apis.items()}
    return StaticRecords(clients, keys, apis)


def _clients(settings: Settings, now: int) -> Iterator[tuple[str, Client]]:
    for client_id, client in settings.static.clients.items():
        yield client_id, _client(settings, client_id, client, "client", now)
    for name, api in settings.static.apis.items():
        if api.keys:
            client_id = API_CLIENT_PREFIX + name
            if client_id in settings.static.clients:
                raise ConfigurationError(
                    f"static.clients.{client_id} has the id of the identity of static.apis.{name}: rename one of them."
                )
            identity = StaticClient(name=f"{name} (API)", owner=api.owner)
            yield client_id, _client(settings, client_id, identity, "api", now)


def _key_files(settings: Settings) -> Iterator[tuple[str, tuple[Path, ...]]]:
    for client_id, client in settings.static.clients.items():
        yield client_id, client.keys
    for name, api in settings.static.apis.items():
        if api.keys:
            yield API_CLIENT_PREFIX + name, api.keys


def _client(settings: Settings, client_id: str, client: StaticClient, kind: ClientKind, now: int) -> Client:
    return Client(
        client_id=client_id,
        name=client.name or client_id,
        kind=kind,
        state="active",
        owner=client.owner,
        source="static",
        authentication_method=client.authentication_method,
        grant_types=_grant_types(client) if kind == "client" else (),
        scopes=dict(client.scopes),
        token_life=client.token_life,
        jwks_uri=client.jwks_uri,
        may_register_keys=False,
        max_concurrency=settings.server.max_concurrency_per_client,
        grant_id="",
        created_at=now,
        updated_at=now,
        login=client.login_record(),
        mutual_tls=client.mutual_tls_record(),
        secret_digest=None if client.secret_file is None else _secret_digest(client.secret_file),
        spiffe_id=client.spiffe_id,
    )


def _grant_types(client: StaticClient) -> tuple[str, ...]:
    return grant_types_for(client.grant_types, client.authentication_method, has_login=client.login is not None)


def _secret_digest(path: Path) -> bytes:
    secret = read_secret_file(path).decode("ascii", "replace").strip()
    try:
        kind = token_format.parse(secret).kind
    except VerificationError:
        kind = ""
    # What somebody thought up could be guessed: SHA-256 protects 256 random bits, no password.
    if kind != token_format.CLIENT_SECRET:
        raise ConfigurationError(f"The file {path} holds no client secret: make one by ostiary client new-secret FILE.")
    return token_format.digest(secret)


def _api(settings: Settings, name: str, api: StaticApi, now: int) -> Api:
    return Api(
        identifier=api.identifier,
        name=name,
        state="active",
        source="static",
        owner=api.owner,
        client_id=API_CLIENT_PREFIX + name if api.keys else None,
        scopes=dict(api.scopes),
        token_format=api.token_format,
        token_alg=api.token_alg,
        token_life=api.token_life or settings.tokens.default_life,
        created_at=now,
        updated_at=now,
        status_list=api.status_list,
    )


def _read(path: Path) -> list[VerificationKey]:
    try:
        with path.open("rb") as file:
            document = file.read(MAX_DOCUMENT_BYTES + 1)
        return parse_public_keys(document)
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be read: {error.strerror}.") from None
    except VerificationError as error:
        mend = f"; {error.mend}" if error.mend else ""
        raise ConfigurationError(f"The key file {path} is refused: {error.seen}{mend}.") from None


def _record(key: VerificationKey, client: Client, now: int) -> ClientKey:
    return ClientKey(
        client_id=client.client_id,
        kid=key.kid,
        thumbprint=key.thumbprint,
        alg=key.alg,
        jwk=json.dumps(key.public_jwk()),
        source="static",
        state="active",
        owner=client.owner,
        not_before=now,
        expires_at=None,
        parent=None,
        created_at=now,
        last_used_at=None,
    )


def _read_certificates(path: Path, client: Client, now: int) -> list[ClientKey]:
    try:
        with path.open("rb") as file:
            found = certificate.read_pem(file.read(MAX_DOCUMENT_BYTES + 1))
        return [certificate_key(one, client, now=now, source="static") for one in found]
    except OSError as error:
        raise ConfigurationError(f"The certificate file {path} cannot be read: {error.strerror}.") from None
    except VerificationError as error:
        raise ConfigurationError(f"The certificate file {path} is refused: {error.seen}; {error.mend}.") from None


def _add(keys: dict[str, ClientKey], key: ClientKey, clients: dict[str, Client], path: Path) -> None:
    # A key belongs to one client: whoever holds it could otherwise prove to be the other.
    other = keys.get(key.thumbprint)
    if other is not None:
        raise ConfigurationError(
            f"The key in {path} is named for {named(clients[other.client_id])} and for "
            f"{named(clients[key.client_id])}: give each a key of its own, and name it once."
        )
    if any((one.client_id, one.kid) == (key.client_id, key.kid) for one in keys.values()):
        raise ConfigurationError(f"The key in {path} has the kid {key.kid!r} of another key of the same client.")
    keys[key.thumbprint] = key


def named(client: Client) -> str:
    """The client and its owner, for a sentence."""
    return f"client {client.client_id!r} (owner: {client.owner or 'not named'})"
