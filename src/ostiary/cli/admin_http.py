"""One request to the admin API, or one a page; what it refuses becomes the errors that a local command raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2
from pydantic import BaseModel

from ostiary.cli.administration import Row
from ostiary.errors import ConfigurationError, OAuthError, Unavailable

_PAGE = 500


class AdminHttp:
    """Asks by ``http``, whose base is the admin API. Raises ConfigurationError, OAuthError and Unavailable."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def one(
        self, method: str, path: str, command: BaseModel | None = None, *, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer, which is an object."""
        return _object(await self._ask(method, path, command, query=query))

    async def several(
        self, method: str, path: str, command: BaseModel | None = None, *, query: Mapping[str, str] | None = None
    ) -> list[Row]:
        """The answer, which is a list."""
        return _list(await self._ask(method, path, command, query=query))

    async def pages(self, path: str, key: str, **query: str) -> list[Row]:
        """All rows of a list that comes in pages, ordered by ``key``."""
        found: list[Row] = []
        asked = {**query, "limit": str(_PAGE), "after": ""}
        while page := _list(await self._ask("GET", path, query=asked)):
            found.extend(page)
            asked["after"] = str(page[-1][key])
        return found

    async def _ask(
        self, method: str, path: str, command: BaseModel | None = None, *, query: Mapping[str, str] | None = None
    ) -> object:
        sent = None if command is None else command.model_dump(mode="json", exclude_unset=True)
        try:
            response = await self._http.request(method, path, json=sent, params=query)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Unavailable("admin API", f"{type(error).__name__} at {self._http.base_url}") from error
        if response.status_code >= 400:
            raise _refusal(response)
        return _members(response)


def in_path(text: str) -> str:
    """``text`` as one segment of a path, whatever somebody typed: no slash, no ``?``, no ``..`` leads elsewhere."""
    quoted = quote(text, safe="")
    # RFC 3986 5.2.4: clients take segments of dots alone for a way up, unless they are written in percent.
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


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
