"""The API that is guarded: it admits by what it knows alone, and follows the revocation feed.

``CHAOS_MAX_STALENESS``: seconds that its knowledge of revocations may be old.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ostiary.resource_server import ResourceServer
from ostiary.resource_server.asgi import AsgiGuard

Message = MutableMapping[str, Any]


async def _orders(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        while True:
            phase = (await receive())["type"].removeprefix("lifespan.")
            await send({"type": f"lifespan.{phase}.complete"})
            if phase == "shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


guard = ResourceServer(max_staleness=float(os.environ["CHAOS_MAX_STALENESS"]))
app = AsgiGuard(_orders, guard, public=("/healthz",))
