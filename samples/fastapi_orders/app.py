"""A small FastAPI service behind the guard: ``uvicorn app:app``.

OSTIARY_ISSUER and OSTIARY_AUDIENCE say whom it trusts and who it is; OSTIARY_API_KEY_FILE gives it its own identity,
with which it takes reference tokens and requests that clients sign themselves.
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import FastAPI, Security
from pydantic import BaseModel, Field

from ostiary.resource_server import Principal, ResourceServer

guard = ResourceServer(
    scopes={"orders:read": "See orders", "orders:write": "Place orders"},
    accept_client_requests="OSTIARY_API_KEY_FILE" in os.environ,
)
app = FastAPI(title="Orders", lifespan=guard.lifespan)


class Order(BaseModel):
    item: str = Field(max_length=100)
    quantity: int = Field(ge=1, le=1000)


_orders: dict[str, list[Order]] = {}


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/orders")
async def list_orders(caller: Annotated[Principal, Security(guard, scopes=["orders:read"])]) -> dict[str, object]:
    return {"client": caller.client_id, "orders": _orders.get(caller.client_id, [])}


@app.post("/orders", status_code=201)
async def place_order(order: Order, caller: Annotated[Principal, Security(guard, scopes=["orders:write"])]) -> Order:
    _orders.setdefault(caller.client_id, []).append(order)
    return order
