"""The demo API and client of ``ostiary dev``, with their key files in the data folder; made where one is missing.

The files hold the only private keys, so they come first: what they say is registered in whatever database is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ostiary.admin.apis import add_api
from ostiary.admin.client_keys import register_keys
from ostiary.admin.clients import add_client
from ostiary.admin.commands import NewApi, NewClient, NewKey
from ostiary.admin.limits import Limits
from ostiary.errors import ConfigurationError
from ostiary.protocol.credential import API, CLIENT, Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from ostiary.secret_files import read_secret_file, write_secret_file
from ostiary.settings import Settings
from ostiary.storage.base import Storage, UnitOfWork

API_IDENTIFIER = "http://localhost:8402"
API_CLIENT_ID = "api_demo"
CLIENT_ID = "demo-client"
SCOPES = {"orders:read": "see orders", "orders:write": "change orders"}


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the credentials of the demo stand."""

    api_identifier: str
    api_file: Path
    client_id: str
    client_file: Path


async def ensure_demo(storage: Storage, settings: Settings, directory: Path, clock: Callable[[], float]) -> DemoFiles:
    """Make what is missing of the demo API and client, files and registrations; what is there stays as it is.

    Raises ConfigurationError: a file there is no credential of the demo, or its key belongs to another client.
    """
    files = DemoFiles(API_IDENTIFIER, directory / "demo-api.json", CLIENT_ID, directory / "demo-client.json")
    api = _credential(files.api_file, API, API_CLIENT_ID, settings.issuer, API_IDENTIFIER)
    client = _credential(files.client_file, CLIENT, CLIENT_ID, settings.issuer, None)
    act, limits = Act("dev", clock()), Limits.of(settings)
    async with storage.write() as work:
        if await work.apis.get(API_IDENTIFIER) is None:
            command = NewApi(
                identifier=API_IDENTIFIER,
                name="Demo orders",
                scopes=SCOPES,
                client_id=API_CLIENT_ID,
                keys=[_public(api)],
            )
            await add_api(work, limits, command, act)
        if await work.clients.get(CLIENT_ID) is None:
            await add_client(work, limits, _demo_client(client), act)
        for credential in (api, client):
            await _ensure_key(work, credential, act)
    return files


def _demo_client(credential: Credential) -> NewClient:
    return NewClient(
        client_id=CLIENT_ID,
        name="Demo client",
        scopes={API_IDENTIFIER: sorted(SCOPES)},
        keys=[_public(credential)],
        may_register_keys=True,
    )


async def _ensure_key(work: UnitOfWork, credential: Credential, act: Act) -> None:
    # A key that somebody retired or revoked while trying things out stays so.
    holder = await work.client_keys.by_thumbprint(credential.key.verification_key.thumbprint)
    if holder is not None and holder.client_id == credential.client_id:
        return
    client = await work.clients.get(credential.client_id)
    if client is None:
        raise ConfigurationError(
            f"the API {API_IDENTIFIER} in this database is not the one of the demo: choose another --directory"
        )
    await register_keys(work, client, _public(credential), act)


def _credential(path: Path, kind: str, client_id: str, issuer: str, audience: str | None) -> Credential:
    if not path.exists():
        made = Credential(kind, issuer, client_id, SigningKey.generate("ES256"), audience)
        write_secret_file(path, made.to_json())
        return made
    try:
        found = Credential.parse(read_secret_file(path))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path} is in the way of the demo's credential: remove it ({error})") from None
    if (found.kind, found.client_id, found.audience) != (kind, client_id, audience):
        raise ConfigurationError(f"{path} holds the credential of {found.client_id}, not of {client_id}: move it away")
    return found if found.issuer == issuer else _moved(path, replace(found, issuer=issuer))


def _moved(path: Path, credential: Credential) -> Credential:
    # The server was started on another port: the same key, at another issuer.
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    write_secret_file(fresh, credential.to_json())
    fresh.replace(path)
    return credential


def _public(credential: Credential) -> NewKey:
    return NewKey(key=json.dumps(credential.key.verification_key.public_jwk()))
