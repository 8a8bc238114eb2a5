"""A serving process from its settings to its end: build the installation, serve its sockets, keep house, close."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Sequence

from ostiary.app import Installation, installation
from ostiary.audit import tags
from ostiary.errors import Unavailable
from ostiary.serving.housekeeping import keep_house
from ostiary.serving.management import ReadinessCheck, management_app
from ostiary.serving.process import (
    StoppableServer,
    api_limits,
    api_server,
    counted,
    management_server,
    run_until_stopped,
)
from ostiary.serving.tls.own import own_tls
from ostiary.settings import Settings


async def serve_process(
    settings: Settings,
    *,
    api: Sequence[socket.socket] = (),
    mtls: Sequence[socket.socket] = (),
    management: Sequence[socket.socket] = (),
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve the sockets given, until SIGTERM or SIGINT. The process with the management sockets keeps house."""
    async with installation(settings) as parts:
        tls, limits = await own_tls(settings, parts, serves=bool(api or mtls)), api_limits(settings)
        servers: list[tuple[StoppableServer, list[socket.socket]]] = []
        if api:
            servers.append((api_server(parts.api_app(), settings, limits, tls.door(tls.main)), list(api)))
        if mtls and settings.mtls is not None:
            mtls_app = parts.mtls_app(settings.mtls.public_url)
            mtls_limits = counted(limits, settings)
            servers.append((api_server(mtls_app, settings, mtls_limits, tls.door(tls.mtls)), list(mtls)))
        if management:
            app = management_app(_readiness(parts), parts.metrics, parts.admin_app())
            servers.append((management_server(app, settings), list(management)))
        chores = [*parts.request_chores(), *(parts.house_chores() if management else ())]
        chores += tls.chores() if api else ()
        role = "all" if api and management else "api" if api else "management"
        stop = asyncio.Event()
        await parts.record(tags.SERVER_STARTED, role)
        house = asyncio.create_task(keep_house(chores, stop))
        # What stands by now stays to the end: to walk all of it in each full collection holds every request up.
        gc.freeze()
        try:
            await run_until_stopped(servers, on_ready=on_ready, on_hangup=tls.hangup if api and tls.watches else None)
            # Before the last sealing, which runs beside the other chores of the stop.
            await parts.server.summarise_refusals()
            await parts.record(tags.SERVER_STOPPED, role)
        finally:
            stop.set()
            await house


def _readiness(parts: Installation) -> dict[str, ReadinessCheck]:
    async def storage() -> None:
        await parts.storage.positions()

    async def signing_keys() -> None:
        await parts.registry.current()
        for alg in parts.settings.keys.algorithms:
            if parts.signing_keys.current(alg) is None:
                raise Unavailable("signing keys", f"no active {alg} key")

    return {"storage": storage, "signing_keys": signing_keys}
