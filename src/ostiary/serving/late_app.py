"""An ASGI application that is imported and built for its first request, beside the loop that serves the others."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class LateApp:
    """Builds the application in a thread when somebody first wants it: the admin API and its framework cost half a
    second of every start, and memory, though most processes are never asked for it.

    build: makes the application; called again for the next request if it raised.
    """

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        self._build = build
        self._building = asyncio.Lock()
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._building:
            if self._app is None:
                self._app = await asyncio.to_thread(self._built)
        await self._app(scope, receive, send)

    def _built(self) -> ASGIApp:
        built = self._build()
        # It stays to the end, as what stood at the start does: no full collection need walk it and hold requests up.
        gc.freeze()
        return built
