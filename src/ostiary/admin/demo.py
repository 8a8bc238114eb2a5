"""The demo API and client of ``ostiary dev``, made once, with their key files in the data folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ostiary.admin.apis import add_api
from ostiary.admin.clients import add_client
from ostiary.admin.commands import NewApi, NewClient, NewKey
from ostiary.private_files import write_private_file
from ostiary.protocol.credential import API, CLIENT, Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage

API_IDENTIFIER = "http://localhost:8402"
CLIENT_ID = "demo-client"
SCOPES = {"orders:read": "see orders", "orders:write": "change orders"}


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the credentials of the demo stand."""

    api_identifier: str
    api_file: Path
    client_id: str
    client_file: Path


async def ensure_demo(storage: Storage, issuer: str, directory: Path, clock: Callable[[], float]) -> DemoFiles:
    """Make the demo API and client unless their files are there already."""
    files = DemoFiles(API_IDENTIFIER, directory / "demo-api.json", CLIENT_ID, directory / "demo-client.json")
    if files.client_file.exists() and files.api_file.exists():
        return files
    act = Act("dev", clock())
    api_key, client_key = SigningKey.generate("ES256"), SigningKey.generate("ES256")
    async with storage.write() as work:
        api = await add_api(
            work, NewApi(identifier=API_IDENTIFIER, name="Demo orders", scopes=SCOPES, keys=[_public(api_key)]), act
        )
        await add_client(
            work,
            NewClient(
                client_id=CLIENT_ID,
                name="Demo client",
                scopes={API_IDENTIFIER: sorted(SCOPES)},
                keys=[_public(client_key)],
                may_register_keys=True,
            ),
            act,
        )
    api_credential = Credential(API, issuer, str(api.client_id), api_key, API_IDENTIFIER)
    write_private_file(files.api_file, api_credential.to_json())
    write_private_file(files.client_file, Credential(CLIENT, issuer, CLIENT_ID, client_key).to_json())
    return files


def _public(key: SigningKey) -> NewKey:
    return NewKey(key=json.dumps(key.verification_key.public_jwk()))
