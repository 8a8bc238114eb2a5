"""The management address: ``/livez``, ``/readyz``, ``/metrics``, and the admin API below ``/admin``."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from ostiary.errors import OstiaryError
from ostiary.serving.metrics import Metrics

ReadinessCheck = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)


def management_app(checks: Mapping[str, ReadinessCheck], metrics: Metrics, admin: ASGIApp | None) -> Starlette:
    """The application of the management address.

    checks: part -> a coroutine function that raises OstiaryError when that part cannot serve.
    """

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        failed: dict[str, str] = {}
        for part, check in checks.items():
            try:
                await check()
            except OstiaryError as error:
                _log.warning("not ready: %s: %s", part, error)
                failed[part] = "failed"
        states = {part: failed.get(part, "ok") for part in checks}
        return JSONResponse(states, status_code=503 if failed else 200)

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    routes: list[Route | Mount] = [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/metrics", show_metrics),
    ]
    if admin is not None:
        routes.append(Mount("/admin", admin))
    return Starlette(routes=routes)
