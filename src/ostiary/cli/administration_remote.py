"""The operator's commands by the admin API of a server elsewhere, with a token of the administrator's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from ostiary.admin.commands import (
    ApiChanges,
    ClientChanges,
    KeyEnd,
    NewApi,
    NewClient,
    NewKey,
    Rotation,
    TokenEnd,
)
from ostiary.admin.revocation_commands import NewRevocation
from ostiary.cli.admin_http import AdminHttp, in_path
from ostiary.cli.administration import Row
from ostiary.cli.certificate_administration_remote import RemoteCertificateAdministration
from ostiary.cli.signal_administration_remote import RemoteSignalAdministration
from ostiary.cli.user_administration_remote import RemoteUserAdministration
from ostiary.client import ClientAuth
from ostiary.client.credential_file import load_client_credential
from ostiary.errors import ConfigurationError

TIMEOUT = 30.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class RemoteAdministration:
    """Each method is one request, or one a page."""

    def __init__(self, ask: AdminHttp, issuer: str) -> None:
        self._ask = ask
        self._issuer = issuer
        self.users = RemoteUserAdministration(ask)
        self.certificates = RemoteCertificateAdministration(ask)
        self.signals = RemoteSignalAdministration(ask)

    @property
    def issuer(self) -> str:
        """That of the administrator's credential: the admin API admits the tokens of its own issuer alone."""
        return self._issuer

    async def clients(self) -> list[Row]:
        return await self._ask.pages("clients", "client_id")

    async def client(self, client_id: str) -> Row:
        return await self._ask.one("GET", f"clients/{in_path(client_id)}")

    async def create_client(self, command: NewClient) -> Row:
        return await self._ask.one("POST", "clients", command)

    async def renew_secret(self, client_id: str) -> Row:
        return await self._ask.one("POST", f"clients/{in_path(client_id)}/secret")

    async def change_client(self, client_id: str, changes: ClientChanges) -> Row:
        return await self._ask.one("PATCH", f"clients/{in_path(client_id)}", changes)

    async def disable_client(self, client_id: str) -> Row:
        return await self._ask.one("POST", f"clients/{in_path(client_id)}/disable")

    async def enable_client(self, client_id: str) -> Row:
        return await self._ask.one("POST", f"clients/{in_path(client_id)}/enable")

    async def client_keys(self, client_id: str) -> list[Row]:
        return await self._ask.several("GET", f"clients/{in_path(client_id)}/keys")

    async def add_client_keys(self, client_id: str, command: NewKey) -> list[Row]:
        return await self._ask.several("POST", f"clients/{in_path(client_id)}/keys", command)

    async def end_client_key(self, client_id: str, command: KeyEnd) -> list[Row]:
        return await self._ask.several("POST", f"clients/{in_path(client_id)}/keys/end", command)

    async def apis(self) -> list[Row]:
        return await self._ask.pages("apis", "identifier")

    async def api(self, identifier: str) -> Row:
        return await self._ask.one("GET", "apis/show", query={"identifier": identifier})

    async def create_api(self, command: NewApi) -> Row:
        return await self._ask.one("POST", "apis", command)

    async def change_api(self, identifier: str, changes: ApiChanges) -> Row:
        return await self._ask.one("PATCH", "apis/change", changes, query={"identifier": identifier})

    async def disable_api(self, identifier: str) -> Row:
        return await self._ask.one("POST", "apis/disable", query={"identifier": identifier})

    async def enable_api(self, identifier: str) -> Row:
        return await self._ask.one("POST", "apis/enable", query={"identifier": identifier})

    async def tokens(self, client_id: str, *, after: str, limit: int) -> list[Row]:
        query = {"after": after, "limit": str(limit)}
        return await self._ask.several("GET", f"clients/{in_path(client_id)}/tokens", query=query)

    async def revoke_token(self, jti: str) -> Row:
        return await self._ask.one("POST", "tokens/revoke", TokenEnd(jti=jti))

    async def revoke(self, command: NewRevocation) -> Row:
        return await self._ask.one("POST", "revocations", command)

    async def revocation_readers(self, position: int) -> list[Row]:
        return await self._ask.several("GET", "revocations/readers", query={"position": str(position)})

    async def signing_keys(self) -> list[Row]:
        return await self._ask.several("GET", "keys")

    async def rotate(self, command: Rotation) -> list[Row]:
        return await self._ask.several("POST", "keys/rotate", command)


@asynccontextmanager
async def remote_administration(url: str, file: Path) -> AsyncIterator[RemoteAdministration]:
    """The admin API at ``url``, such as ``https://host:8401/admin``. Raises ConfigurationError."""
    credential = load_client_credential(file)
    base = _checked(url)
    parts = urlsplit(base)
    auth = ClientAuth.from_file(
        file, resource=f"{credential.issuer}/admin", origins=[f"{parts.scheme}://{parts.netloc}"]
    )
    async with httpx2.AsyncClient(base_url=base, auth=auth, timeout=TIMEOUT, trust_env=False) as http:
        yield RemoteAdministration(AdminHttp(http), credential.issuer)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        raise ConfigurationError("--admin-url is no URL: write it like https://host:8401/admin") from None
    if not parts.hostname or not (parts.scheme == "https" or plain):
        raise ConfigurationError("--admin-url must be https, as the token travels there; http is for loopback alone")
    return url.rstrip("/") + "/"
