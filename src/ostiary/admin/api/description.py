"""What the admin API takes: its OpenAPI document, and the query parameters of a route without it.

The document takes a quarter of a second to make, in a process that may serve tokens, too: so nobody but who asks for it
waits for it, and it is made in a thread.
"""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from starlette.types import ASGIApp, Receive, Scope, Send

from ostiary.errors import ConfigurationError

DOCUMENT: Final = "/openapi.json"


class MadeInAThread:
    """ASGI middleware: the first request for the document waits until it is made, and others do not."""

    def __init__(self, app: ASGIApp, described: FastAPI) -> None:
        self._app = app
        self._described = described
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].removeprefix(scope.get("root_path", "")) == DOCUMENT:
            async with self._making:
                if self._described.openapi_schema is None:
                    await asyncio.to_thread(self._described.openapi)
        await self._app(scope, receive, send)


async def known_query(request: Request) -> None:
    """A dependency of every route. Raises ConfigurationError: a parameter of the query is none of the route's.

    A misspelt filter that is passed over would show everything as if it were the answer.
    """
    known = query_parameters(request.scope["route"].dependant)
    if unknown := sorted(request.query_params.keys() - known):
        there = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(f"the query has no parameter {unknown[0]!r}; it has: {there}")


def query_parameters(dependant: Dependant) -> set[str]:
    """The names that a route and what it depends on take from the query."""
    own = {field.alias for field in dependant.query_params}
    return own.union(*(query_parameters(one) for one in dependant.dependencies))
