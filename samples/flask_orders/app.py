"""A small Flask service behind the guard, ``flask --app app run``; configured by the environment as its sisters."""

from __future__ import annotations

import os

from flask import Flask, Response, jsonify, request

from ostiary.resource_server import ResourceServer
from ostiary.resource_server.flask import FlaskGuard, principal

guard = ResourceServer(
    scopes={"orders:read": "See orders", "orders:write": "Place orders"},
    accept_client_requests="OSTIARY_API_KEY_FILE" in os.environ,
)
app = Flask(__name__)
auth = FlaskGuard(guard, app)

_orders: dict[str, list[dict[str, object]]] = {}


@app.get("/healthz")
def healthz() -> Response:
    return jsonify(status="ok")


@app.get("/orders")
@auth.requires("orders:read")
def list_orders() -> Response:
    client_id = principal().client_id
    return jsonify(client=client_id, orders=_orders.get(client_id, []))


@app.post("/orders")
@auth.requires("orders:write")
def place_order() -> tuple[Response, int]:
    order = request.get_json()
    if not isinstance(order, dict) or not isinstance(order.get("item"), str):
        return jsonify(error="invalid_order"), 400
    _orders.setdefault(principal().client_id, []).append({"item": order["item"]})
    return jsonify(item=order["item"]), 201
