"""The operator's commands by the admin API of a server elsewhere, with a token of the administrator's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from ostiary.admin.commands import (
    ApiChanges,
    ClientChanges,
    Command,
    KeyEnd,
    NewApi,
    NewClient,
    NewKey,
    Rotation,
    TokenEnd,
)
from ostiary.cli.administration import Row
from ostiary.client import ClientAuth
from ostiary.client.credential_file import load_client_credential
from ostiary.errors import ConfigurationError, OAuthError, Unavailable

TIMEOUT = 30.0
_PAGE = 500
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class RemoteAdministration:
    """Each method is one request, or one a page."""

    def __init__(self, http: httpx2.AsyncClient, issuer: str) -> None:
        self._http = http
        self._issuer = issuer

    @property
    def issuer(self) -> str:
        """That of the administrator's credential: the admin API admits the tokens of its own issuer alone."""
        return self._issuer

    async def clients(self) -> list[Row]:
        return await self._pages("clients", "client_id")

    async def client(self, client_id: str) -> Row:
        return _object(await self._ask("GET", f"clients/{client_id}"))

    async def create_client(self, command: NewClient) -> Row:
        return _object(await self._ask("POST", "clients", command))

    async def renew_secret(self, client_id: str) -> Row:
        return _object(await self._ask("POST", f"clients/{client_id}/secret"))

    async def change_client(self, client_id: str, changes: ClientChanges) -> Row:
        return _object(await self._ask("PATCH", f"clients/{client_id}", changes))

    async def disable_client(self, client_id: str) -> Row:
        return _object(await self._ask("POST", f"clients/{client_id}/disable"))

    async def enable_client(self, client_id: str) -> Row:
        return _object(await self._ask("POST", f"clients/{client_id}/enable"))

    async def client_keys(self, client_id: str) -> list[Row]:
        return _list(await self._ask("GET", f"clients/{client_id}/keys"))

    async def add_client_keys(self, client_id: str, command: NewKey) -> list[Row]:
        return _list(await self._ask("POST", f"clients/{client_id}/keys", command))

    async def end_client_key(self, client_id: str, command: KeyEnd) -> list[Row]:
        return _list(await self._ask("POST", f"clients/{client_id}/keys/end", command))

    async def apis(self) -> list[Row]:
        return await self._pages("apis", "identifier")

    async def api(self, identifier: str) -> Row:
        return _object(await self._ask("GET", "apis/show", query={"identifier": identifier}))

    async def create_api(self, command: NewApi) -> Row:
        return _object(await self._ask("POST", "apis", command))

    async def change_api(self, identifier: str, changes: ApiChanges) -> Row:
        return _object(await self._ask("PATCH", "apis/change", changes, query={"identifier": identifier}))

    async def disable_api(self, identifier: str) -> Row:
        return _object(await self._ask("POST", "apis/disable", query={"identifier": identifier}))

    async def enable_api(self, identifier: str) -> Row:
        return _object(await self._ask("POST", "apis/enable", query={"identifier": identifier}))

    async def tokens(self, client_id: str, *, after: str, limit: int) -> list[Row]:
        query = {"after": after, "limit": str(limit)}
        return _list(await self._ask("GET", f"clients/{client_id}/tokens", query=query))

    async def revoke_token(self, jti: str) -> Row:
        return _object(await self._ask("POST", "tokens/revoke", TokenEnd(jti=jti)))

    async def signing_keys(self) -> list[Row]:
        return _list(await self._ask("GET", "keys"))

    async def rotate(self, command: Rotation) -> list[Row]:
        return _list(await self._ask("POST", "keys/rotate", command))

    async def _pages(self, path: str, key: str) -> list[Row]:
        found: list[Row] = []
        query = {"limit": str(_PAGE), "after": ""}
        while page := _list(await self._ask("GET", path, query=query)):
            found.extend(page)
            query["after"] = str(page[-1][key])
        return found

    async def _ask(
        self, method: str, path: str, command: Command | None = None, *, query: Mapping[str, str] | None = None
    ) -> object:
        sent = None if command is None else command.model_dump(mode="json", exclude_unset=True)
        try:
            response = await self._http.request(method, path, json=sent, params=query)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable("admin API", f"{type(error).__name__} at {self._http.base_url}") from error
        if response.status_code >= 400:
            raise _refusal(response)
        return _members(response)


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
        yield RemoteAdministration(http, credential.issuer)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        raise ConfigurationError("--admin-url is no URL: write it like https://host:8401/admin") from None
    if not parts.hostname or not (parts.scheme == "https" or plain):
        raise ConfigurationError("--admin-url must be https, as the token travels there; http is for loopback alone")
    return url.rstrip("/") + "/"


def _refusal(response: httpx2.Response) -> Exception:
    body = _members(response) if response.headers.get("content-type", "").startswith("application/json") else {}
    said = body if isinstance(body, dict) else {}
    description = str(said.get("error_description") or f"the admin API answered {response.status_code}")
    if response.status_code >= 500:
        return Unavailable("admin API", description)
    if response.status_code in (400, 404, 409, 422):
        return ConfigurationError(description)
    trace = str(said.get("trace") or "")
    mend = f"ostiary explain {trace}" if trace else "look whether --admin-url is the admin API"
    return OAuthError(str(said.get("error") or "refused"), description, status=response.status_code, mend=mend)


def _members(response: httpx2.Response) -> object:
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable("admin API", "its answer is no JSON: is --admin-url the admin API?") from error


def _object(members: object) -> dict[str, Any]:
    if not isinstance(members, dict):
        raise Unavailable("admin API", "its answer is no object: is --admin-url the admin API?")
    return members


def _list(members: object) -> list[Row]:
    if not isinstance(members, list):
        raise Unavailable("admin API", "its answer is no list: is --admin-url the admin API?")
    return members
