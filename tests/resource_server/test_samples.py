"""Every framework's shell, started for real: the sample APIs under their own servers, against a real issuer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.resource_server.samples import COMMANDS, Sample, running_sample
from tests.resource_server.world import AUDIENCE, DIRECT


@pytest.fixture(scope="module", params=COMMANDS)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    with running_sample(request.param, tmp_path_factory.mktemp("api")) as started:
        yield started


def test_the_right_caller_is_admitted(sample: Sample) -> None:
    answer = sample.get(sample.world.token())
    assert (answer.status_code, answer.json()) == (200, {"client": "orders-client", "orders": []})


def test_a_reference_token_is_admitted(sample: Sample) -> None:
    assert sample.get(sample.world.issuer.reference(**sample.world.claims())).status_code == 200


def test_a_client_jwt_is_admitted_once(sample: Sample) -> None:
    token = sample.world.direct(sample.world.client_key())
    first, second = (sample.client.get("/orders?page=1", headers={DIRECT: token}) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 401)
    assert second.json()["error_description"] == "already used"


def test_nobody_is_challenged(sample: Sample) -> None:
    """standards 112."""
    answer = sample.get()
    assert answer.status_code == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert f'resource_metadata="{AUDIENCE}/.well-known/oauth-protected-resource"' in challenge
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error", "error_description", "trace"}


def test_a_refusal_tells_one_sentence_and_a_trace(sample: Sample) -> None:
    answer = sample.get(sample.world.token(aud="https://other.example.com"))
    trace = answer.json()["trace"]
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_token", "error_description": "audience mismatch", "trace": trace}
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="audience mismatch", ')
    assert challenge.endswith(f'trace="{trace}"')
    assert answer.headers["Cache-Control"] == "no-store"
    assert trace in (sample.world.folder / "traces.jsonl").read_text()


def test_too_little_scope_is_403(sample: Sample) -> None:
    answer = sample.client.post(
        "/orders", json={"item": "x", "quantity": 1}, headers={"Authorization": f"Bearer {sample.world.token()}"}
    )
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")
    assert 'scope="orders:write"' in answer.headers["WWW-Authenticate"]


def test_a_token_in_the_query_is_400(sample: Sample) -> None:
    """standards 113."""
    assert sample.client.get("/orders", params={"access_token": sample.world.token()}).status_code == 400


def test_the_metadata_of_the_api_names_itself(sample: Sample) -> None:
    """standards 112: the resource equals the identifier."""
    answer = sample.client.get("/.well-known/oauth-protected-resource")
    assert answer.status_code == 200
    assert answer.json() == {
        "resource": AUDIENCE,
        "authorization_servers": [sample.world.issuer.issuer],
        "scopes_supported": ["orders:read", "orders:write"],
        "bearer_methods_supported": ["header"],
    }


def test_an_order_is_placed_with_the_right_scope(sample: Sample) -> None:
    headers = {"Authorization": f"Bearer {sample.world.token(client_id='buyer', sub='buyer', scope='orders')}"}
    assert sample.client.post("/orders", json={"item": "tea", "quantity": 1}, headers=headers).status_code == 201
    assert "tea" in sample.client.get("/orders", headers=headers).text
