"""An API for the tests: ``/orders`` for every user who may read, ``/fresh`` only for a sign-in of the last seconds."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Security
from fastapi.middleware.cors import CORSMiddleware

from ostiary.resource_server import Principal, ResourceServer

guard = ResourceServer()
app = FastAPI(lifespan=guard.lifespan)
# A single page of another origin calls it, with a token and without cookies.
app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_headers=["Authorization"])
fresh = guard.step_up(max_age=10)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
async def orders(caller: Annotated[Principal, Security(guard, scopes=["orders:read"])]) -> dict[str, str | None]:
    return {"orders of": caller.user.subject if caller.user else None}


@app.get("/fresh")
async def only_fresh(caller: Annotated[Principal, Security(fresh, scopes=["orders:read"])]) -> dict[str, str | None]:
    return {"fresh": caller.user.subject if caller.user else None}
