"""What an operation demands of its user's sign-in (standards 116; RFC 9470), in both token formats and every shell."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient
from flask import Flask

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import challenges
from ostiary.protocol.acr import ONE_FACTOR, PHISHING_RESISTANT, TWO_FACTORS
from ostiary.resource_server import Principal, ResourceServer
from ostiary.resource_server.asgi import AsgiGuard
from ostiary.resource_server.flask import FlaskGuard
from ostiary.resource_server.introspected import introspected_principal
from ostiary.resource_server.testing import TestTokens, trusted_tokens

API = "https://orders.example.com"
ISSUER = "https://auth.example.com"
NOW = 1_800_000_000.0


@pytest.fixture
def guard() -> ResourceServer:
    return ResourceServer(ISSUER, API, clock=lambda: NOW, environment={}, revocation="until_expiry")


@pytest.fixture
def tokens(guard: ResourceServer) -> Iterator[TestTokens]:
    with trusted_tokens(guard) as made:
        yield made


@pytest.fixture
def http(guard: ResourceServer) -> TestClient:
    """An application of which one operation needs a sign-in of the last minute with two factors."""
    app = FastAPI()
    fresh = guard.step_up(max_age=60, acr_values=[TWO_FACTORS])

    @app.get("/orders")
    def orders(caller: Annotated[Principal, Security(guard, scopes=["orders:read"])]) -> dict[str, Any]:
        user = caller.user
        return {} if user is None else {"user": user.subject, "acr": user.acr, "amr": user.amr, "sid": user.session_id}

    @app.post("/orders")
    def order(caller: Annotated[Principal, Security(fresh, scopes=["orders:read"])]) -> dict[str, Any]:
        return {"user": caller.user.subject if caller.user else None}

    return TestClient(app)


def _challenge(response: Any) -> dict[str, str]:
    return challenges.parse(response.headers["www-authenticate"])[0].parameters


def test_the_user_of_a_token_is_told(http: TestClient, tokens: TestTokens) -> None:
    told = http.get("/orders", headers=tokens.bearer(tokens.signed_in("orders:read"))).json()
    assert told == {"user": "usr_test", "acr": ONE_FACTOR, "amr": ["pwd"], "sid": "ses_test"}


def test_a_client_that_acts_for_itself_has_no_user(http: TestClient, tokens: TestTokens) -> None:
    assert http.get("/orders", headers=tokens.headers("orders:read")).json() == {}


def test_a_fresh_and_strong_sign_in_is_enough(http: TestClient, tokens: TestTokens) -> None:
    for level in (TWO_FACTORS, PHISHING_RESISTANT):
        token = tokens.signed_in("orders:read", age=60, acr=level)
        assert http.post("/orders", headers=tokens.bearer(token)).json() == {"user": "usr_test"}


@pytest.mark.parametrize(
    "claims",
    [
        {"age": 61, "acr": TWO_FACTORS},
        {"acr": ONE_FACTOR},
        {"acr": "https://elsewhere.example/strong"},
        {"acr": TWO_FACTORS, "auth_time": None},
    ],
    ids=str,
)
def test_an_old_or_weak_sign_in_is_challenged(http: TestClient, tokens: TestTokens, claims: dict[str, Any]) -> None:
    """standards 116: each demand alone."""
    response = http.post("/orders", headers=tokens.bearer(tokens.signed_in("orders:read", **claims)))
    assert response.status_code == 401
    told = _challenge(response)
    assert told["error"] == "insufficient_user_authentication"
    assert (told["acr_values"], told["max_age"]) == (TWO_FACTORS, "60")
    assert response.json()["error"] == "insufficient_user_authentication"


def test_without_a_user_no_sign_in_is_enough(http: TestClient, tokens: TestTokens) -> None:
    response = http.post("/orders", headers=tokens.headers("orders:read"))
    assert _challenge(response)["error"] == "insufficient_user_authentication"


def test_scopes_come_first(http: TestClient, tokens: TestTokens) -> None:
    assert http.post("/orders", headers=tokens.bearer(tokens.signed_in(age=999))).status_code == 403


def test_the_demand_is_decided_anew_where_the_token_was_verified_before(
    guard: ResourceServer, tokens: TestTokens
) -> None:
    """A middleware admits, then a view demands more: the same token is not read twice, the demand is."""
    app = FastAPI()
    fresh = guard.step_up(max_age=60)

    @app.get("/orders")
    def orders(caller: Annotated[Principal, Security(fresh)]) -> str:
        return caller.subject

    http = TestClient(AsgiGuard(app, guard))
    assert http.get("/orders", headers=tokens.bearer(tokens.signed_in(age=61))).status_code == 401
    assert http.get("/orders", headers=tokens.bearer(tokens.signed_in(age=59))).status_code == 200


def test_flask_demands_it_at_a_view(guard: ResourceServer, tokens: TestTokens) -> None:
    app = Flask(__name__)
    auth = FlaskGuard(guard, app)

    @app.get("/orders")
    @auth.requires("orders:read", max_age=60)
    def orders() -> str:
        return "seen"

    http = app.test_client()
    old = http.get("/orders", headers=tokens.bearer(tokens.signed_in("orders:read", age=61)))
    assert (old.status_code, _challenge(old)["max_age"]) == (401, "60")
    assert http.get("/orders", headers=tokens.bearer(tokens.signed_in("orders:read"))).status_code == 200


@pytest.mark.parametrize(
    "twice",
    [
        lambda guard: guard.step_up(max_age=60).step_up(acr_values=[TWO_FACTORS]),
        lambda guard: guard.step_up(acr_values=[TWO_FACTORS]).step_up(max_age=60),
    ],
    ids=["fresh, then strong", "strong, then fresh"],
)
def test_a_further_demand_does_not_replace_the_first(
    guard: ResourceServer, tokens: TestTokens, twice: Callable[[ResourceServer], ResourceServer]
) -> None:
    """standards 116: a guard that was made stricter twice is as strict as both."""
    strict = twice(guard)
    http = TestClient(AsgiGuard(FastAPI(), strict))
    old = http.get("/", headers=tokens.bearer(tokens.signed_in(age=61, acr=TWO_FACTORS)))
    weak = http.get("/", headers=tokens.bearer(tokens.signed_in()))
    assert (old.status_code, _challenge(old)["max_age"]) == (401, "60")
    assert (weak.status_code, _challenge(weak)["acr_values"]) == (401, TWO_FACTORS)
    assert http.get("/", headers=tokens.bearer(tokens.signed_in(acr=TWO_FACTORS))).status_code == 404


@pytest.mark.parametrize("ages", [(60, 600), (600, 60)], ids=str)
def test_of_two_demands_of_one_kind_the_stricter_counts(
    guard: ResourceServer, tokens: TestTokens, ages: tuple[int, int]
) -> None:
    """standards 116"""
    first, second = ages
    strict = guard.step_up(max_age=first).step_up(max_age=second)
    http = TestClient(AsgiGuard(FastAPI(), strict))
    old = http.get("/", headers=tokens.bearer(tokens.signed_in(age=61)))
    assert (old.status_code, _challenge(old)["max_age"]) == (401, "60")
    assert http.get("/", headers=tokens.bearer(tokens.signed_in(age=60))).status_code == 404


def test_a_view_of_flask_demands_no_less_than_its_guard(guard: ResourceServer, tokens: TestTokens) -> None:
    app = Flask(__name__)
    auth = FlaskGuard(guard.step_up(max_age=60), app)
    app.get("/orders")(auth.requires(acr_values=[ONE_FACTOR])(lambda: "seen"))
    http = app.test_client()
    assert http.get("/orders", headers=tokens.bearer(tokens.signed_in(age=61))).status_code == 401
    assert http.get("/orders", headers=tokens.bearer(tokens.signed_in())).status_code == 200


def test_one_text_is_no_list_of_levels(guard: ResourceServer) -> None:
    with pytest.raises(ConfigurationError, match="a list"):
        guard.step_up(acr_values="phr")


def test_a_sign_in_cannot_be_younger_than_now(guard: ResourceServer) -> None:
    with pytest.raises(ConfigurationError, match="from 0 on"):
        guard.step_up(max_age=-1)


def _introspected(**changes: Any) -> Principal:
    answer = {"aud": API, "exp": NOW + 60, "client_id": "app", "sub": "usr_1", "auth_time": NOW - 5, "acr": TWO_FACTORS}
    return introspected_principal(answer | changes, issuer=ISSUER, audiences=[API], now=NOW, leeway=0)


def test_a_reference_token_tells_the_same_of_its_user() -> None:
    user = _introspected(amr=["pwd", "otp"], sid="s").user
    assert user is not None
    assert (user.auth_time, user.acr, user.amr, user.session_id) == (NOW - 5, TWO_FACTORS, ("pwd", "otp"), "s")


@pytest.mark.parametrize("change", [{"auth_time": "now"}, {"acr": 2}, {"amr": "pwd"}, {"amr": [1]}, {"sid": []}])
def test_an_answer_that_cannot_be_read_is_no_answer(change: dict[str, Any]) -> None:
    with pytest.raises(VerificationError):
        _introspected(**change)
