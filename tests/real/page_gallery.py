"""Every page under a real server, with what the examples give it: ``/gallery/<template>``."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.http import read_request, send_response
from ostiary.settings import Settings
from ostiary.user_authentication.pages import render
from tests.authorization_server.world import ISSUER, World
from tests.resource_server.serving import served_asgi
from tests.user_authentication.pages.examples import examples

PATH = "/gallery/"


class Gallery:
    """Pages by example; what they need besides, such as the style, comes from the server's own endpoints."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PATH):
            await self._world.app(scope, receive, send)
            return
        request = await read_request(scope, receive, 0)
        name = scope["path"].removeprefix(PATH)
        template = name.partition(":")[0]
        secrets = BrowserSecrets("browser", "session")
        targets = ("https://printer.example.com",)
        response = render(self._world.server, request, secrets, template, form_targets=targets, **examples()[name])
        # The examples stand at the issuer of the tests; here they stand at this server.
        response.body = response.body.replace(ISSUER.encode(), self._world.server.issuer.encode())
        await send_response(scope, send, response)


@contextmanager
def gallery(folder: Path) -> Iterator[str]:
    """The URL below which the pages hang, such as ``http://127.0.0.1:40123/gallery/``."""
    # In a thread of its own: where a browser is driven, the test's thread has an event loop already.
    with ThreadPoolExecutor(1) as elsewhere:
        world = elsewhere.submit(World, folder).result()
        try:
            with served_asgi(Gallery(world)) as url:
                tables = world.settings.model_dump() | {"issuer": url}
                world.server.settings = Settings.model_validate(tables).model_copy(update={"dev": True})
                yield url + PATH
        finally:
            elsewhere.submit(world.close).result()
