"""What the service does: each view names the scopes that it needs; the middleware has refused all strangers before."""

import json

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views.decorators.http import require_http_methods

from ostiary.resource_server.django import requires

_orders: dict[str, list[str]] = {}


def healthz(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


@require_http_methods(["GET", "POST"])
def orders(request: HttpRequest) -> HttpResponseBase:
    return place_order(request) if request.method == "POST" else list_orders(request)


@requires("orders:read")
def list_orders(request: HttpRequest) -> JsonResponse:
    client_id = request.principal.client_id
    return JsonResponse({"client": client_id, "orders": _orders.get(client_id, [])})


@requires("orders:write")
def place_order(request: HttpRequest) -> JsonResponse:
    try:
        item = json.loads(request.body)["item"]
    except (ValueError, TypeError, KeyError):
        return JsonResponse({"error": "invalid_order"}, status=400)
    _orders.setdefault(request.principal.client_id, []).append(str(item))
    return JsonResponse({"item": str(item)}, status=201)


@requires("orders:read")
async def count(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"count": len(_orders.get(request.principal.client_id, []))})
