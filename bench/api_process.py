"""A FastAPI application in a process of its own, with the guard or without; prints its PSS in megabytes after load."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Annotated, Any

GUARDED, PLAIN = "guarded", "plain"


def application(kind: str, issuer: str) -> Any:
    """One path, ``/orders``."""
    from fastapi import FastAPI, Security

    if kind == PLAIN:
        app = FastAPI()

        @app.get("/orders")
        async def orders() -> dict[str, str]:
            return {"orders": "none"}

        return app
    from ostiary.resource_server import Principal, ResourceServer

    guard = ResourceServer(
        issuer=issuer,
        audience="http://localhost:8402",
        scopes={"orders:read": "see orders"},
        revocation="until_expiry",
    )
    guarded = FastAPI(lifespan=guard.lifespan)

    # Evaluated here, because FastAPI cannot see the local ``guard`` from a postponed annotation.
    def guarded_orders(caller: Any) -> dict[str, str]:
        return {"orders": f"none of {caller.client_id}"}

    guarded_orders.__annotations__["caller"] = Annotated[Principal, Security(guard, scopes=["orders:read"])]
    guarded.get("/orders")(guarded_orders)
    return guarded


async def drive(app: Any, path: str, token: str, requests: int) -> None:
    """Ask ``requests`` times by ASGI, inside the lifespan. Raises RuntimeError unless all are answered."""
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async with app.router.lifespan_context(app):
        for _ in range(requests):
            await app(_scope(path, token), receive, send)
    if set(statuses) != {200}:
        raise RuntimeError(f"answers: {sorted(set(statuses))}")


def _scope(path: str, token: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"localhost:8402"), (b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8402),
    }


def main() -> None:
    """Read what to do on standard input."""
    from bench.machine import memory

    order = json.load(sys.stdin)
    app = application(order["kind"], order["issuer"])
    asyncio.run(drive(app, order["path"], order["token"], order["requests"]))
    print(f"{memory(os.getpid()).total:.3f}")


if __name__ == "__main__":
    main()
