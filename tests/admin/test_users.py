"""Users over the admin API: made, changed, ended with all that hangs on them; nothing secret leaves."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from tests.admin.people import give, session_of
from tests.admin.room import Room

PASSWORD = "glass-otter-minute"


@pytest.fixture
def ada(room: Room) -> str:
    """The id of a user with a password, a session, a consent to ``app`` and a grant."""
    user_id: str = room.make("/users", {"username": "Ada", "email": "ada@example.com", "password": PASSWORD})["user_id"]
    room.world.add_client("app", scopes={})
    room.world.write(partial(give, user_id=user_id, client_id="app", now=room.world.clock()))
    return user_id


def listed(room: Room, ada: str, kind: str) -> list[Any]:
    answer = room.ask("GET", f"/users/{ada}/{kind}")
    assert answer.status_code == 200, answer.text
    rows: list[Any] = answer.json()
    return rows


def test_a_user_is_made_and_found_by_id_and_by_name(room: Room, ada: str) -> None:
    for named in (ada, "ada", " ADA "):
        shown = room.ask("GET", "/users/show?" + f"user={named}".replace(" ", "%20"))
        assert shown.json()["user_id"] == ada, shown.text
    assert [row["user_id"] for row in room.ask("GET", "/users").json()] == [ada]
    assert [row["user_id"] for row in room.ask("GET", "/users?email=ADA@example.com").json()] == [ada]
    assert room.ask("GET", "/users?email=bob@example.com").json() == []


def test_pages_of_users_follow_each_other(room: Room) -> None:
    made = sorted(room.make("/users", {"username": f"user-{number}"})["user_id"] for number in range(3))
    first = room.ask("GET", "/users?limit=2").json()
    second = room.ask("GET", f"/users?limit=2&after={first[-1]['user_id']}").json()
    assert [row["user_id"] for row in first + second] == made


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"username": "ada"}, 400, "taken"),
        ({"username": ""}, 400, "user name"),
        ({"username": "bob", "email": "nobody"}, 400, "e-mail"),
        ({"username": "bob", "claims": {"sub": "x"}}, 400, "standard"),
        ({"username": "bob", "claims": {"name": 7}}, 400, "text"),
        ({"username": "bob", "password": "short"}, 400, "too short"),
        ({"username": "bobby-tables", "password": "bobby-tables"}, 400, "password"),
        ({"username": "bob", "password": ""}, 422, "password"),
        ({"username": "bob", "passwort": "x"}, 422, "passwort"),
        ({"username": 7}, 422, "username"),
        ({"email": "a@example.com"}, 422, "username"),
        ({"username": "bob", "user_id": "usr_x"}, 422, "user_id"),
        ({"username": "bob", "state": "disabled"}, 422, "state"),
    ],
)
def test_a_user_that_does_not_fit_is_refused_whole(
    room: Room, ada: str, body: dict[str, Any], status: int, word: str
) -> None:
    answer = room.ask("POST", "/users", body)
    assert answer.status_code == status, answer.text
    assert word in answer.json()["error_description"]
    assert [row["user_id"] for row in room.ask("GET", "/users").json()] == [ada]


def test_a_user_is_changed_member_by_member(room: Room, ada: str) -> None:
    changed = room.ask("PATCH", f"/users/{ada}", {"claims": {"name": "Ada Lovelace"}, "email_verified": True}).json()
    assert (changed["claims"], changed["email_verified"]) == ({"name": "Ada Lovelace"}, True)
    assert (changed["username"], changed["email"]) == ("Ada", "ada@example.com")
    assert room.ask("PATCH", f"/users/{ada}", {"email": None}).status_code == 422


def test_a_new_password_replaces_the_old_one_and_ends_the_sessions(room: Room, ada: str) -> None:
    """ASVS 7.4.3"""
    [old] = listed(room, ada, "factors")
    before = room.world.read(lambda work: work.factors.get(old["factor_id"])).secret
    answer = room.ask("POST", f"/users/{ada}/password", {"password": "another-glass-otter"})
    assert answer.status_code == 200, answer.text
    assert [row["factor_id"] for row in listed(room, ada, "factors")] == [old["factor_id"]]
    assert room.world.read(lambda work: work.factors.get(old["factor_id"])).secret != before
    assert listed(room, ada, "sessions") == []


def test_the_sessions_stay_where_that_is_wanted(room: Room, ada: str) -> None:
    room.ask("POST", f"/users/{ada}/password", {"password": "another-glass-otter", "keep_sessions": True})
    assert [row["session_id"] for row in listed(room, ada, "sessions")] == ["ses_1"]


def test_a_weak_password_changes_nothing(room: Room, ada: str) -> None:
    answer = room.ask("POST", f"/users/{ada}/password", {"password": "password123"})
    assert answer.status_code == 400
    assert "password123" not in answer.text
    assert len(listed(room, ada, "sessions")) == 1


def test_disabling_ends_everything_at_once(room: Room, ada: str) -> None:
    """ASVS 7.4.2"""
    assert room.ask("POST", f"/users/{ada}/disable").json()["state"] == "disabled"
    assert listed(room, ada, "sessions") == []
    assert [row["ended_at"] is None for row in listed(room, ada, "grants")] == [False]
    assert {"user:disabled", "session:ended"} <= set(room.tags())
    assert room.ask("POST", f"/users/{ada}/enable").json()["state"] == "active"
    assert listed(room, ada, "sessions") == []


def test_one_session_is_ended_and_the_others_stay(room: Room, ada: str) -> None:
    """ASVS 7.4.5"""
    second = session_of(ada, "ses_2", room.world.clock())
    expired = session_of(ada, "ses_3", room.world.clock(), idle_until=1)
    room.world.write(lambda work: work.sessions.add(second), lambda work: work.sessions.add(expired))
    ended = room.ask("POST", "/sessions/ses_1/end").json()
    assert (ended["session_id"], ended["ended_at"]) == ("ses_1", int(room.world.clock()))
    assert [row["session_id"] for row in listed(room, ada, "sessions")] == ["ses_2"]
    again = room.ask("POST", "/sessions/ses_1/end")
    assert (again.status_code, room.tags().count("session:ended")) == (200, 1)
    assert room.ask("POST", f"/users/{ada}/sessions/end").status_code == 200
    assert listed(room, ada, "sessions") == []


def test_a_factor_is_removed_with_the_sessions_if_that_is_asked_for(room: Room, ada: str) -> None:
    [factor] = listed(room, ada, "factors")
    bob = room.make("/users", {"username": "bob"})["user_id"]
    assert room.ask("DELETE", f"/users/{bob}/factors/{factor['factor_id']}").status_code == 404
    assert len(listed(room, ada, "factors")) == 1
    removed = room.ask("DELETE", f"/users/{ada}/factors/{factor['factor_id']}?end_sessions=true")
    assert removed.json()["kind"] == "password"
    assert (listed(room, ada, "factors"), listed(room, ada, "sessions")) == ([], [])


def test_a_consent_is_taken_back_with_its_grants(room: Room, ada: str) -> None:
    assert [row["scopes"] for row in listed(room, ada, "consents")] == [["orders:read"]]
    assert room.ask("DELETE", f"/users/{ada}/consents/app").json()["ended"] is True
    assert listed(room, ada, "consents") == []
    assert [row["ended_at"] is None for row in listed(room, ada, "grants")] == [False]
    assert room.ask("DELETE", f"/users/{ada}/consents/app").json()["ended"] is False


def test_a_grant_is_ended_and_its_consent_stays(room: Room, ada: str) -> None:
    assert room.ask("POST", "/grants/gr_1/revoke").json()["ended_at"] == int(room.world.clock())
    assert len(listed(room, ada, "consents")) == 1


def test_the_standing_grant_of_a_client_is_no_grant_of_a_user(room: Room, ada: str) -> None:
    """It goes with its client; ended alone, the client could never get a token again."""
    answer = room.ask("POST", "/grants/gr_app/revoke")
    assert answer.status_code == 404
    assert room.world.read(lambda work: work.grants.get("gr_app")).ended_at is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users/show?user=nobody"),
        ("PATCH", "/users/usr_none"),
        ("POST", "/users/usr_none/password"),
        ("POST", "/users/usr_none/disable"),
        ("POST", "/users/usr_none/enable"),
        ("GET", "/users/usr_none/factors"),
        ("DELETE", "/users/usr_none/factors/fac_1"),
        ("GET", "/users/usr_none/sessions"),
        ("POST", "/users/usr_none/sessions/end"),
        ("POST", "/sessions/none/end"),
        ("GET", "/users/usr_none/consents"),
        ("DELETE", "/users/usr_none/consents/app"),
        ("GET", "/users/usr_none/grants"),
        ("POST", "/grants/none/revoke"),
    ],
)
def test_who_is_not_there_is_not_found(room: Room, method: str, path: str) -> None:
    body = {"password": PASSWORD} if path.endswith("password") else {} if method == "PATCH" else None
    answer = room.ask(method, path, body)
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), answer.text
    assert "ostiary" in answer.json()["error_description"]


WRITES = [
    ("POST", "/users"),
    ("POST", "/users/import"),
    ("PATCH", "/users/{ada}"),
    ("POST", "/users/{ada}/password"),
    ("POST", "/users/{ada}/disable"),
    ("POST", "/users/{ada}/enable"),
    ("DELETE", "/users/{ada}/factors/x"),
    ("POST", "/users/{ada}/sessions/end"),
    ("POST", "/sessions/ses_1/end"),
    ("DELETE", "/users/{ada}/consents/app"),
    ("POST", "/grants/gr_1/revoke"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_who_may_read_may_not_write(room: Room, ada: str, method: str, path: str) -> None:
    """Function level, ASVS 8.2.1."""
    answer = room.ask(method, path.format(ada=ada), {}, token=room.token("admin:read"))
    assert (answer.status_code, answer.json()["error"]) == (403, "insufficient_scope")


@pytest.mark.parametrize(
    "path", ["/users", "/users/show?user=ada", *(f"/users/{{ada}}/{k}" for k in ("factors", "grants"))]
)
def test_without_a_token_nobody_is_told_anything(room: Room, ada: str, path: str) -> None:
    assert room.ask("GET", path.format(ada=ada), headers={}).status_code == 401


def test_nothing_secret_leaves(room: Room, ada: str) -> None:
    kinds = ("factors", "sessions", "consents", "grants")
    told = [json.dumps(listed(room, ada, kind)) for kind in kinds]
    told += [room.ask("GET", path).text for path in ("/users", f"/users/show?user={ada}", "/audit?limit=500")]
    secrets = [PASSWORD, "argon2", "digest", b"ses_1".ljust(32, b"s").decode()]
    assert [secret for secret in secrets if secret in "".join(told)] == []


def test_the_audit_log_says_who_did_it_and_keeps_names_erasable(room: Room, ada: str) -> None:
    rows = [row for row in room.world.audit() if row.tag == "user:created"]
    assert [(row.actor, row.target) for row in rows] == [("admin:chief", ada)]
    assert "Ada" not in json.dumps(rows[0].details)
    assert rows[0].personal["username"] == "Ada"


def imported(room: Room, *users: dict[str, Any]) -> list[Any]:
    answer = room.ask("POST", "/users/import", {"users": list(users)})
    assert answer.status_code == 200, answer.text
    rows: list[Any] = answer.json()
    return rows


BCRYPT = "$2b$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"


def test_an_import_judges_each_by_itself(room: Room, ada: str) -> None:
    rows = imported(
        room,
        {"username": "bob", "password_hash": BCRYPT, "name": "Bob", "claims": {"locale": "en"}},
        {"username": "ADA", "email": "other@example.com", "password_hash": BCRYPT},
        {"username": "eve", "password_hash": "5f4dcc3b5aa765d61d8327deb882cf99"},
        {"username": "mallory", "password_hash": "$2b$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"},
        {"username": "trent", "admin": True},
        {"username": "carol", "claims": "x", "name": "Carol"},
        {"username": "dave", "email_verified": "yes"},
        {"username": "grace", "email": "grace@example.com", "email_verified": True},
    )
    assert [row["outcome"] for row in rows] == ["made", "there", *["refused"] * 5, "made"]
    assert all(row["reason"] for row in rows if row["outcome"] == "refused")
    assert all("5f4dcc" not in row["reason"] and "abcdefghij" not in row["reason"] for row in rows)
    assert {row["username"] for row in room.ask("GET", "/users").json()} == {"Ada", "bob", "grace"}
    bob = room.ask("GET", "/users/show?user=bob").json()
    assert bob["claims"] == {"name": "Bob", "locale": "en"}
    assert [row["kind"] for row in listed(room, bob["user_id"], "factors")] == ["password"]


def test_an_import_changes_nobody_who_is_there(room: Room, ada: str) -> None:
    """They may have changed their password since; the old file must not bring the old one back."""
    [factor] = listed(room, ada, "factors")
    before = room.world.read(lambda work: work.factors.get(factor["factor_id"])).secret
    imported(room, {"username": "ada", "password_hash": BCRYPT, "email": "evil@example.com"})
    assert room.world.read(lambda work: work.factors.get(factor["factor_id"])).secret == before
    assert room.ask("GET", f"/users/show?user={ada}").json()["email"] == "ada@example.com"


def test_an_import_is_bounded(room: Room) -> None:
    users = [{"username": f"user-{number}"} for number in range(101)]
    assert room.ask("POST", "/users/import", {"users": users}).status_code == 422
    assert room.ask("GET", "/users").json() == []
