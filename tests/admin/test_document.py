"""The OpenAPI document of the admin API is made for those who ask for it, and never where requests are answered."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from fastapi.openapi.utils import get_openapi

from tests.admin.room import Room

Calls = list[int]


@pytest.fixture
def makers(room: Room, monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The threads in which the document is made from now on."""
    calls: Calls = []

    def heard(*arguments: Any, **named: Any) -> dict[str, Any]:
        calls.append(threading.get_ident())
        return get_openapi(*arguments, **named)

    monkeypatch.setattr("fastapi.applications.get_openapi", heard)
    room.app.openapi_schema = None
    return calls


async def _thread() -> int:
    return threading.get_ident()


def test_a_request_makes_no_document(room: Room, makers: Calls) -> None:
    assert room.ask("GET", "/clients?limit=5").status_code == 200
    assert room.ask("GET", "/clients?limt=5").status_code == 400
    assert makers == []


def test_the_document_is_made_once_and_not_in_the_thread_that_answers(room: Room, makers: Calls) -> None:
    first, second = (room.ask("GET", "/openapi.json", headers={}) for _ in range(2))
    assert first.json()["paths"].keys() >= {"/clients", "/clients/{client_id}"}
    assert second.json() == first.json()
    assert len(makers) == 1
    assert makers[0] != room.world.run(_thread())


def test_each_route_takes_the_query_that_the_document_shows(room: Room) -> None:
    """By name: what a misspelt parameter is answered with lists those that there are."""
    operations = [
        (method, path, {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"})
        for path, item in room.app.openapi()["paths"].items()
        for method, operation in item.items()
    ]
    for method, path, names in operations:
        answer = room.ask(method.upper(), f"{path.replace('{', '').replace('}', '')}?unheard-of=1")
        assert answer.status_code == 400, (method, path)
        assert answer.json()["error_description"].endswith(f"it has: {', '.join(sorted(names)) or 'none'}"), path
    assert {"after", "limit"} <= set().union(*(names for _, _, names in operations))
