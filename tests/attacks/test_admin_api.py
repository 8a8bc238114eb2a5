"""Whoever has no good token for the admin API changes and learns nothing there; each refusal has one cause alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.authorization_server.unauthenticated import UnauthenticatedRefusals
from ostiary.protocol import challenges
from ostiary.settings.sections import AuditSettings
from ostiary.trace import Check
from tests.admin.room import ADMIN, ALL, Room
from tests.authorization_server.applications import (
    add_application,
    add_user,
    authorize_url,
    code_for,
    redeem,
    sign_in,
)
from tests.authorization_server.browser import Browser
from tests.authorization_server.test_refusals import break_storage
from tests.authorization_server.test_token_bucket import Monotonic
from tests.authorization_server.world import ORDERS

LIST = "/clients"
CHANGE = "/clients/shop/disable"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    made.world.add_api(ORDERS)
    made.world.add_client("shop")
    yield made
    made.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def refused_check(room: Room, answer: object, status: int, check: str) -> Check:
    """The refusal has the status, a challenge with the trace id, and one failed check: this one, which is given."""
    assert answer.status_code == status, answer.text  # type: ignore[attr-defined]
    told = answer.json()  # type: ignore[attr-defined]
    record = room.world.read(lambda work: work.traces.get(told["trace"]))[0]
    failed: Check
    [failed] = [one for one in record.checks if not one.passed]
    assert failed.name == check
    assert told["trace"] in answer.headers["www-authenticate"]  # type: ignore[attr-defined]
    rows = [row for row in room.world.audit() if row.trace_id == told["trace"]]
    assert [(row.tag, row.outcome, row.reason) for row in rows] == [("admin:refused", "refused", check)]
    return failed


def test_good_token_is_admitted(room: Room) -> None:
    assert room.ask("GET", LIST).status_code == 200
    assert room.ask("POST", CHANGE).status_code == 200


@pytest.mark.parametrize("method_path", [("GET", LIST), ("POST", CHANGE), ("GET", "/nothing-here"), ("PUT", LIST)])
def test_no_token_is_refused_at_every_path(room: Room, method_path: tuple[str, str]) -> None:
    """RFC 6750 3.1: without credentials, no error code."""
    answer = room.ask(*method_path, headers={})
    refused_check(room, answer, 401, "format")
    assert 'error="' not in answer.headers["www-authenticate"]


def test_no_token_is_refused_before_the_body_is_read(room: Room) -> None:
    answer = room.ask("POST", LIST, headers={"Content-Type": "application/json"}, content=b"{ no json")
    refused_check(room, answer, 401, "format")


@pytest.mark.parametrize("value", ["Basic Y2hpZWY6eA==", "Bearer", "Bearer ", "Bearer a b", "bearer\ta"])
def test_another_form_of_the_header_is_refused(room: Room, value: str) -> None:
    refused_check(room, room.ask("GET", LIST, headers={"Authorization": value}), 401, "format")


def test_doubled_authorization_is_refused(room: Room) -> None:
    token = f"Bearer {room.token()}"
    doubled = [("Authorization", token), ("Authorization", token)]
    refused_check(room, room.ask("GET", LIST, headers=doubled), 401, "format")


def test_token_in_the_query_is_refused_even_beside_a_good_header(room: Room) -> None:
    """RFC 9700 4.3.2."""
    token = room.token()
    refused_check(room, room.ask("GET", f"{LIST}?access_token={token}", headers={}), 401, "format")
    refused_check(room, room.ask("GET", f"{LIST}?access_token={token}", headers=bearer(token)), 401, "format")


def test_token_in_the_body_is_not_looked_at(room: Room) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = room.ask("POST", CHANGE, headers=form, content=f"access_token={room.token()}".encode())
    refused_check(room, answer, 401, "format")


def test_unknown_token_is_refused(room: Room) -> None:
    good = room.token()
    altered = good[:-1] + ("A" if good[-1] != "A" else "B")
    refused_check(room, room.ask("GET", LIST, headers=bearer(altered)), 401, "token")


def test_token_for_another_api_is_refused(room: Room) -> None:
    token = room.world.access_token("shop", resource=ORDERS, scope="orders:read")
    refused_check(room, room.ask("GET", LIST, headers=bearer(token)), 401, "audience")


def test_token_of_a_user_is_refused_whatever_they_allowed_the_application(room: Room) -> None:
    add_application(room.world, scopes={ADMIN: ("admin:read", "admin:write")})
    browser = Browser(room.world)
    sign_in(browser, add_user(room.world))
    code = code_for(browser, authorize_url(scope="admin:read admin:write", resource=ADMIN))
    answer = redeem(room.world, code).json
    assert answer["scope"] == ALL
    failed = refused_check(room, room.ask("GET", LIST, token=answer["access_token"]), 401, "subject")
    assert (failed.seen, "client_credentials" in failed.mend) == ("usr_ada", True)
    refused_check(room, room.ask("POST", CHANGE, token=answer["access_token"]), 401, "subject")


def test_read_scope_changes_nothing(room: Room) -> None:
    token = room.token("admin:read")
    assert room.ask("GET", LIST, token=token).status_code == 200
    answer = room.ask("POST", CHANGE, token=token)
    refused_check(room, answer, 403, "scope")
    assert 'scope="admin:write"' in answer.headers["www-authenticate"]
    assert room.ask("GET", "/clients/shop").json()["state"] == "active"


def test_write_scope_implies_read(room: Room) -> None:
    assert room.ask("GET", LIST, token=room.token("admin:write")).status_code == 200


def test_expired_token_is_refused(room: Room) -> None:
    token = room.token()
    room.world.clock.now += 299
    assert room.ask("GET", LIST, token=token).status_code == 200
    room.world.clock.now += 2
    refused_check(room, room.ask("GET", LIST, token=token), 401, "state")


def test_revoked_token_is_refused_on_the_next_request(room: Room) -> None:
    token = room.token()
    assert room.world.post("/revoke", room.world.form("chief", token=token)).status == 200
    refused_check(room, room.ask("GET", LIST, token=token), 401, "state")


def test_token_of_a_disabled_administrator_is_refused_on_the_next_request(room: Room) -> None:
    token = room.token()
    assert room.ask("POST", "/clients/chief/disable", token=token).status_code == 200
    refused_check(room, room.ask("GET", LIST, token=token), 401, "state")


def test_token_of_a_revoked_key_is_refused_on_the_next_request(room: Room) -> None:
    token = room.token()
    end = {"kid": room.key.kid, "state": "revoked"}
    assert room.ask("POST", "/clients/chief/keys/end", end, token=token).status_code == 200
    refused_check(room, room.ask("GET", LIST, token=token), 401, "state")


def test_client_without_the_scope_gets_no_token_for_the_admin_api(room: Room) -> None:
    answer = room.world.token("shop", resource=ADMIN)
    assert (answer.status, answer.json["error"]) in ((400, "invalid_target"), (400, "invalid_scope"))


def test_body_beyond_the_limit_is_refused_unread(room: Room) -> None:
    headers = bearer(room.token()) | {"Content-Type": "application/json"}
    assert room.ask("POST", LIST, headers=headers, content=b" " * 2_097_153).status_code == 413


def test_body_of_unsaid_length_is_refused_unread(room: Room) -> None:
    headers = bearer(room.token()) | {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    assert room.ask("POST", LIST, headers=headers, content=b"{}").status_code == 411


def test_doubled_query_parameter_is_refused(room: Room) -> None:
    assert room.ask("GET", "/audit?tag=a").status_code == 200
    assert room.ask("GET", "/audit?tag=a&tag=b").status_code == 400


def test_misspelt_filter_is_refused_rather_than_ignored(room: Room) -> None:
    answer = room.ask("GET", "/audit?actr=shop")
    assert (answer.status_code, "actor" in answer.json()["error_description"]) == (400, True)


def test_description_is_open_and_the_page_with_foreign_script_is_not_served(room: Room) -> None:
    assert room.ask("GET", "/openapi.json", headers={}).json()["info"]["title"] == "Ostiary admin API"
    assert room.ask("GET", "/docs").status_code == 404


def test_answers_are_not_to_be_kept(room: Room) -> None:
    assert room.ask("GET", LIST).headers["cache-control"] == "no-store"
    assert room.ask("GET", LIST, headers={}).headers["cache-control"] == "no-store"
    assert room.ask("GET", "/clients/nobody").headers["cache-control"] == "no-store"


def test_nothing_secret_leaves_by_any_list(room: Room) -> None:
    """standards 13: no wrapped key, no hash of a token, no private member of a key."""
    room.token()
    for path in (LIST, "/clients/chief/keys", "/clients/chief/tokens", "/apis", "/keys", "/audit?limit=500"):
        answer = room.ask("GET", path)
        assert answer.status_code == 200
        assert answer.json(), path
        for forbidden in ("wrapped", "digest", '"d":', "salt", "grant_secret"):
            assert forbidden not in answer.text, (path, forbidden)


METADATA = 'resource_metadata="https://auth.example.com/.well-known/oauth-protected-resource/admin"'


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [("GET", LIST, "admin:read"), ("POST", CHANGE, "admin:write"), ("PUT", LIST, "admin:write")],
)
def test_a_challenge_names_the_metadata_and_the_scope(room: Room, method: str, path: str, scope: str) -> None:
    """standards 112; RFC 9728 5.1, RFC 6750 3."""
    for headers in ({}, bearer("nonsense")):
        [challenge] = challenges.parse(room.ask(method, path, headers=headers).headers["www-authenticate"])
        assert challenge.parameters["resource_metadata"] == METADATA.split('"')[1]
        assert challenge.parameters["scope"] == scope


def test_a_challenge_for_a_missing_scope_names_the_metadata_too(room: Room) -> None:
    answer = room.ask("POST", CHANGE, token=room.token("admin:read"))
    assert METADATA in answer.headers["www-authenticate"]


def test_the_metadata_that_a_challenge_names_speaks_for_the_admin_api(room: Room) -> None:
    """standards 112; RFC 9728 3.3: the identifier is the one into which the well-known part was inserted."""
    document = room.world.get("/.well-known/oauth-protected-resource/admin").json
    assert document == {
        "resource": ADMIN,
        "authorization_servers": ["https://auth.example.com"],
        "scopes_supported": ["admin:read", "admin:write"],
        "bearer_methods_supported": ["header"],
    }


def test_a_flood_of_uninvited_requests_gets_few_rows_and_each_its_challenge(room: Room) -> None:
    settings = room.world.settings.model_copy(update={"audit": AuditSettings()})
    room.world.server.unauthenticated = UnauthenticatedRefusals(settings, Monotonic())
    answers = [room.ask("GET", LIST, headers={}) for _ in range(40)]
    assert {answer.status_code for answer in answers} == {401}
    assert all(answer.json()["trace"] in answer.headers["www-authenticate"] for answer in answers)
    assert room.tags().count("admin:refused") == 20
    token = room.token("admin:read")
    refused_check(room, room.ask("POST", CHANGE, token=token), 403, "scope")


def test_what_is_read_is_audited_with_path_and_actor(room: Room) -> None:
    assert room.ask("GET", "/clients/shop").status_code == 200
    [event] = [row for row in room.world.audit() if row.tag == "admin:read"]
    assert (event.actor, event.target, event.outcome) == ("admin:chief", "/clients/shop", "done")
    assert event.personal == {"address": "192.0.2.7"}


def test_what_is_not_read_leaves_no_event_of_reading(room: Room) -> None:
    room.ask("GET", "/clients/nobody")
    room.ask("GET", LIST, headers={})
    room.ask("POST", CHANGE)
    room.ask("GET", "/openapi.json", headers={})
    assert "admin:read" not in [row.tag for row in room.world.audit()]


def test_reading_that_cannot_be_audited_is_refused(monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
    token = room.token()
    with monkeypatch.context() as broken:
        break_storage(broken, room.world, "write")
        answer = room.ask("GET", LIST, token=token)
    assert answer.status_code == 503
    assert "shop" not in answer.text
