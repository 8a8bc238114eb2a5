"""A small FastAPI service behind the guard: ``uvicorn app:app``.

OSTIARY_ISSUER and OSTIARY_AUDIENCE say whom it trusts and who it is; OSTIARY_API_KEY_FILE gives it its own identity,
with which it takes reference tokens and requests that clients sign themselves. ORDERS_FRESH_SIGN_IN is how many seconds
ago a user may have signed in who takes all orders back.
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
fresh = guard.step_up(max_age=int(os.environ.get("ORDERS_FRESH_SIGN_IN", "300")))
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
    # Where a client acts for a user, the subject is the user; where it acts for itself, the client.
    on_behalf = {} if caller.user is None else {"user": caller.user.subject}
    return {"client": caller.client_id, **on_behalf, "orders": _orders.get(caller.subject, [])}


@app.post("/orders", status_code=201)
async def place_order(order: Order, caller: Annotated[Principal, Security(guard, scopes=["orders:write"])]) -> Order:
    _orders.setdefault(caller.subject, []).append(order)
    return order


@app.delete("/orders", status_code=204)
async def take_orders_back(caller: Annotated[Principal, Security(fresh, scopes=["orders:write"])]) -> None:
    """Only for a user who signed in a moment ago: otherwise 401 ``insufficient_user_authentication`` (RFC 9470)."""
    _orders.pop(caller.subject, None)
