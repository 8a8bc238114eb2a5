"""``ostiary user``, ``session``, ``consent`` and ``grant`` on a local installation, and once by the admin API."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from pathlib import Path

import pytest

from ostiary.storage.sqlite import SqliteStorage
from tests.admin.people import give
from tests.cli.operator import Operator
from tests.cli.operator_fixture import operator
from tests.cli.test_admin_commands import elsewhere

__all__ = ["elsewhere", "operator"]

PASSWORD = "glass-otter-minute"


def password_file(operator: Operator, password: str = PASSWORD) -> str:
    (operator.folder / "password").write_text(password + "\n")
    return "password"


@pytest.fixture
def ada(operator: Operator) -> str:
    """The id of a user with a password."""
    file = password_file(operator)
    made = operator.done("user", "create", "ada", "--email", "ada@example.com", "--password-file", file)
    return str(made["user_id"])


def signed_in(operator: Operator, user_id: str, client_id: str) -> None:
    """As if the user had signed in and allowed the client something."""

    async def act() -> None:
        storage = SqliteStorage(operator.folder / "ostiary.db", clock=time.time)
        await storage.open()
        try:
            async with storage.write() as work:
                await give(work, user_id, client_id, time.time())
        finally:
            await storage.close()

    asyncio.run(act())


def test_a_user_is_made_found_by_name_and_by_id_and_changed(operator: Operator, ada: str) -> None:
    assert operator.done("user", "show", "ADA") == operator.done("user", "show", ada)
    assert [row["username"] for row in operator.done("user", "list")] == ["ada"]
    assert operator.done("user", "list", "--email", "nobody@example.com") == []
    claims = ("--name", "Ada Lovelace", "--claim", "locale=en-GB", "--claim", "phone_number_verified=true")
    changed = operator.done("user", "change", "ada", *claims, "--email-verified")
    assert changed["claims"] == {"name": "Ada Lovelace", "locale": "en-GB", "phone_number_verified": True}
    assert (changed["email"], changed["email_verified"]) == ("ada@example.com", True)
    changed = operator.done("user", "change", "ada", "--claim", "locale=", "--email", "new@example.com")
    assert changed["claims"] == {"name": "Ada Lovelace", "phone_number_verified": True}
    assert changed["email_verified"] is False
    operator.refused(3, ["nothing to change"], "user", "change", "ada")


def test_a_password_is_nowhere_but_in_its_hash(operator: Operator, ada: str) -> None:
    """standards: secrets by file or standard input, never in argv, log or output."""
    told = operator.run("user", "set-password", "ada", "--password-file", password_file(operator, "copper-kettle-moon"))
    assert told.code == 0, told.err
    assert "sessions were ended" in told.err
    for secret in (PASSWORD, "copper-kettle-moon"):
        assert secret not in told.out + told.err
        for kept in operator.folder.glob("ostiary.db*"):
            assert secret.encode() not in kept.read_bytes()
    assert operator.run("user", "create", "--help").out.count("--password ") == 0


def test_a_password_comes_by_standard_input(operator: Operator, ada: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in ((), ("--password-file", "-")):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"copper-kettle-moon\n")))
        assert operator.done("user", "set-password", "ada", *arguments)["user_id"] == ada
    assert operator.tags().count("factor:changed") == 2


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"one-good-password\ntwo\n", "more than one line"),
        (b"\xff\xfe", "UTF-8"),
        (b"x" * 5000, "endless"),
        (b"short\n", "too short"),
        (b"password1234\n", "password"),
    ],
)
def test_what_is_no_password_is_refused(operator: Operator, ada: str, content: bytes, word: str) -> None:
    (operator.folder / "other").write_bytes(content)
    operator.refused(3, [word], "user", "set-password", "ada", "--password-file", "other")
    assert "factor:changed" not in operator.tags()


def test_no_user_is_made_whose_password_is_refused(operator: Operator) -> None:
    file = password_file(operator, "short")
    operator.refused(3, ["too short"], "user", "create", "bob", "--password-file", file)
    operator.refused(3, ["cannot be read"], "user", "create", "bob", "--password-file", "absent")
    assert operator.done("user", "list") == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["ada"], "taken"),
        (["bob", "--email", "nobody"], "name@host"),
        (["bob", "--claim", "shoe_size=44"], "standard"),
        (["bob", "--claim", "locale"], "NAME=VALUE"),
        (["b\nob"], "user name"),
    ],
)
def test_a_user_that_does_not_fit_is_refused_with_the_mend(
    operator: Operator, ada: str, arguments: list[str], word: str
) -> None:
    operator.refused(3, [word], "user", "create", *arguments)


def test_who_is_not_there_is_told_with_the_way_to_look(operator: Operator, ada: str) -> None:
    for command in (
        ("user", "show"),
        ("user", "disable"),
        ("user", "factors", "list"),
        ("session", "list"),
        ("consent", "list"),
        ("grant", "list"),
    ):
        operator.refused(3, ["'nobody'", "ostiary user list"], *command, "nobody")
    operator.refused(3, ["ostiary session list"], "session", "end", "nothing")
    operator.refused(3, ["ostiary grant list"], "grant", "revoke", "nothing")
    operator.refused(3, ["ostiary user factors list"], "user", "factors", "remove", "ada", "nothing")
    operator.refused(3, ["either"], "session", "end")
    operator.refused(3, ["either"], "session", "end", "x", "--user", "ada")


def ends_what_hangs_on_a_user(operator: Operator, ada: str, *where: str) -> None:
    """Each of the endings, by the commands."""
    [factor] = operator.done("user", "factors", "list", "ada", *where)
    [session] = operator.done("session", "list", "ada", *where)
    [consent] = operator.done("consent", "list", "ada", *where)
    [grant] = operator.done("grant", "list", "ada", *where)
    assert (factor["kind"], session["session_id"], consent["client_id"]) == ("password", "ses_1", "app")
    assert operator.done("grant", "revoke", grant["grant_id"], *where)["ended_at"] is not None
    assert operator.done("grant", "list", "ada", *where) == []
    assert len(operator.done("grant", "list", "ada", "--all", *where)) == 1
    assert operator.done("session", "end", "ses_1", *where)[0]["ended_at"] is not None
    assert operator.done("session", "list", "ada", *where) == []
    assert operator.done("session", "end", "--user", "ada", *where) == []
    assert operator.done("consent", "revoke", "ada", "app", *where)["ended"] is True
    assert operator.done("consent", "revoke", "ada", "app", *where)["ended"] is False
    removed = operator.done("user", "factors", "remove", "ada", factor["factor_id"], "--end-sessions", *where)
    assert removed["factor_id"] == factor["factor_id"]
    assert operator.done("user", "factors", "list", "ada", *where) == []
    assert operator.done("user", "disable", "ada", *where)["state"] == "disabled"
    assert operator.done("user", "enable", ada, *where)["state"] == "active"


def test_what_hangs_on_a_user_is_listed_and_ended(operator: Operator, ada: str) -> None:
    operator.done("client", "create", "app", "--public", "--redirect-uri", "https://app.example.com/callback")
    signed_in(operator, ada, "app")
    ends_what_hangs_on_a_user(operator, ada)
    assert {"grant:revoked", "session:ended", "consent:revoked", "factor:removed", "user:disabled"} <= set(
        operator.tags()
    )


def test_disabling_ends_everything(operator: Operator, ada: str) -> None:
    operator.done("client", "create", "app", "--public", "--redirect-uri", "https://app.example.com/callback")
    signed_in(operator, ada, "app")
    operator.done("user", "disable", "ada")
    assert operator.done("session", "list", "ada") == operator.done("grant", "list", "ada") == []


@pytest.mark.real
def test_users_are_administered_by_the_admin_api_as_well(
    operator: Operator, elsewhere: tuple[str, ...], tmp_path: Path
) -> None:
    made = operator.done("user", "create", "ada", "--password-file", password_file(operator), *elsewhere)
    assert operator.done("user", "show", "ada", *elsewhere) == made
    # What is typed does not become another path or query.
    operator.refused(3, ["'../clients?x=y&z'"], "user", "show", "../clients?x=y&z", *elsewhere)
    operator.done(
        "client", "create", "app", "--public", "--redirect-uri", "https://app.example.com/callback", *elsewhere
    )
    operator.done(
        "client",
        "create",
        "old",
        "--redirect-uri",
        "https://old.example.com/",
        "--secret-method",
        "basic",
        "--generate",
        "old.json",
        *elsewhere,
    )
    assert operator.done("client", "secret", "old", "--generate", "new.json", *elsewhere)["client_id"] == "old"
    changed = operator.done("client", "change", "app", "--home-uri", "https://app.example.com", *elsewhere)
    assert changed["login"]["home_uri"] == "https://app.example.com"
    database = Operator.__new__(Operator)
    database.folder = tmp_path / "server"
    signed_in(database, str(made["user_id"]), "app")
    ends_what_hangs_on_a_user(operator, str(made["user_id"]), *elsewhere)
    assert operator.done("user", "change", "ada", "--name", "Ada", *elsewhere)["claims"] == {"name": "Ada"}
    assert operator.done("user", "set-password", "ada", "--password-file", "password", *elsewhere)
    (tmp_path / "users.jsonl").write_text('{"username": "bob"}\n{"username": "ada"}\n')
    assert operator.done("user", "import", "users.jsonl", *elsewhere) == {"made": 1, "there": 1, "refused": 0}
    assert {row["username"] for row in operator.done("user", "list", *elsewhere)} >= {"ada", "bob"}
