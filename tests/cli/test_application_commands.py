"""``ostiary client create`` and its kin for applications that sign users in, on a local installation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ostiary.admin import client_secrets, clients
from ostiary.errors import Unavailable
from ostiary.protocol import token_format
from ostiary.protocol.credential import CLIENT_SECRET
from tests.cli.operator import ORDERS, Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]

CALLBACK = "https://app.example.com/callback"
WEB = ("--redirect-uri", CALLBACK)


def test_a_web_application_gets_a_key_and_its_scopes(operator: Operator) -> None:
    operator.done("api", "create", ORDERS, "--scope", "orders:read=see")
    made = operator.done(
        "client", "create", "shop", *WEB, "--api", ORDERS, "--scope", "orders:read", "--generate", "shop.json"
    )
    assert (made["authentication_method"], made["login"]["application_type"]) == ("private_key_jwt", "web")
    assert made["grant_types"] == ["authorization_code", "refresh_token"]
    assert "client_secret" not in made
    assert json.loads((operator.folder / "shop.json").read_text())["type"] == "ostiary-client"


@pytest.mark.parametrize(
    ("uri", "kind"),
    [(CALLBACK, "browser"), ("http://127.0.0.1/callback", "native"), ("com.example.app:/callback", "native")],
)
def test_a_public_application_is_of_the_kind_that_its_addresses_tell(operator: Operator, uri: str, kind: str) -> None:
    made = operator.done("client", "create", "app", "--public", "--redirect-uri", uri)
    assert (made["authentication_method"], made["login"]["application_type"]) == ("none", kind)


@pytest.mark.parametrize(("method", "name"), [("basic", "client_secret_basic"), ("post", "client_secret_post")])
def test_a_secret_goes_into_its_file_and_nowhere_else(operator: Operator, method: str, name: str) -> None:
    outcome = operator.run(
        "client", "create", "old", *WEB, "--secret-method", method, "--generate", "old.json", "--format", "json"
    )
    assert outcome.code == 0, outcome.err
    file = operator.folder / "old.json"
    held = json.loads(file.read_text())
    secret = held["client_secret"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert (held["type"], held["client_id"], held["token_endpoint_auth_method"]) == (CLIENT_SECRET, "old", name)
    assert token_format.parse(secret).kind == token_format.CLIENT_SECRET
    assert secret not in outcome.out + outcome.err
    for kept in operator.folder.glob("ostiary.db*"):
        assert secret.encode() not in kept.read_bytes()
    assert "secret" not in json.dumps(operator.done("client", "show", "old")).replace(name, "")


def test_the_file_of_a_secret_is_told_from_a_credential(operator: Operator) -> None:
    operator.done("client", "create", "old", *WEB, "--secret-method", "basic", "--generate", "old.json")
    operator.refused(
        3,
        ["client secret", "ostiary client keys add"],
        "token",
        "get",
        "--client-file",
        "old.json",
        "--resource",
        ORDERS,
    )


def test_a_new_secret_replaces_the_old_one(operator: Operator) -> None:
    operator.done("client", "create", "old", *WEB, "--secret-method", "basic", "--generate", "old.json")
    outcome = operator.run("client", "secret", "old", "--generate", "new.json")
    assert outcome.code == 0, outcome.err
    secrets = [json.loads((operator.folder / name).read_text())["client_secret"] for name in ("old.json", "new.json")]
    assert secrets[0] != secrets[1]
    assert secrets[1] not in outcome.out + outcome.err
    operator.refused(3, ["exists already"], "client", "secret", "old", "--generate", "new.json")
    assert json.loads((operator.folder / "new.json").read_text())["client_secret"] == secrets[1]


def test_no_file_stays_of_a_secret_that_was_not_made(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    operator.done("client", "create", "keyed")
    operator.refused(3, ["no secret"], "client", "secret", "keyed", "--generate", "new.json")
    assert not (operator.folder / "new.json").exists()

    async def lost(*_: object) -> None:
        raise Unavailable("storage", "the answer was lost")

    monkeypatch.setattr(clients, "create_client", lost)
    arguments = ("client", "create", "old", *WEB, "--secret-method", "basic", "--generate", "old.json")
    operator.refused(4, ["ostiary client secret old"], *arguments)
    assert not (operator.folder / "old.json").exists()


def test_a_secret_that_was_made_and_could_not_be_kept_is_told_and_no_foreign_file_removed(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, file = clients.create_client, operator.folder / "old.json"

    async def meanwhile(*arguments: Any) -> Any:
        made = await create(*arguments)
        file.write_text("somebody's")
        return made

    monkeypatch.setattr(clients, "create_client", meanwhile)
    arguments = ("client", "create", "old", *WEB, "--secret-method", "basic", "--generate", "old.json")
    operator.refused(3, ["not empty any more", "ostiary client secret old"], *arguments)
    assert file.read_text() == "somebody's"
    assert [row["client_id"] for row in operator.done("client", "list")] == ["old"]


def test_nothing_is_registered_where_the_secret_could_not_be_kept(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(client_secrets, "new_secret", lambda work: made.append(work))
    arguments = ("client", "create", "old", *WEB, "--secret-method", "basic", "--generate", "absent/old.json")
    operator.refused(3, ["cannot be made"], *arguments)
    assert made == []
    assert operator.done("client", "list") == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--public"], "--redirect-uri"),
        (["--first-party"], "--redirect-uri"),
        (["--pairwise"], "--redirect-uri"),
        ([*WEB, "--public", "--generate", "x.json"], "--public"),
        ([*WEB, "--public", "--secret-method", "basic", "--generate", "x.json"], "--public"),
        ([*WEB, "--secret-method", "basic"], "--generate"),
        ([*WEB, "--secret-method", "jwt", "--generate", "x.json"], "basic or post"),
        ([*WEB, "--type", "desktop"], "application_type"),
        ([*WEB, "--public", "--own-tokens"], "client_credentials"),
        ([*WEB, "--public", "--no-pkce"], "require_pkce"),
        (["--redirect-uri", "http://app.example.com/cb"], "use https"),
        (["--redirect-uri", "http://localhost/cb", "--public"], "127.0.0.1"),
        (["--redirect-uri", "myapp:/cb", "--public"], "com.example.app"),
        ([*WEB, "--redirect-uri", "https://b.example.com/", "--pairwise"], "sector"),
        ([*WEB, "--id-token-alg", "HS256"], "id_token_alg"),
        ([*WEB, "--refresh-life", "1"], "refresh_token_life"),
    ],
)
def test_an_application_that_does_not_fit_is_refused_with_the_mend(
    operator: Operator, arguments: list[str], word: str
) -> None:
    operator.refused(3, [word], "client", "create", "new", *arguments)
    assert not (operator.folder / "x.json").exists()
    assert operator.done("client", "list") == []


def test_an_application_is_changed_by_what_is_named(operator: Operator) -> None:
    operator.done("client", "create", "shop", *WEB, "--home-uri", "https://app.example.com", "--pairwise")
    other = "https://app.example.com/other"
    changed = operator.done("client", "change", "shop", "--redirect-uri", other, "--first-party", "--no-pkce")
    login = changed["login"]
    assert (login["redirect_uris"], login["home_uri"]) == ([other], "https://app.example.com")
    assert (login["first_party"], login["require_pkce"], login["sector"]) == (True, False, "app.example.com")
    assert "client:pkce_exempted" in operator.tags()
    changed = operator.done("client", "change", "shop", "--pkce", "--third-party", "--own-tokens")
    assert (changed["login"]["first_party"], changed["login"]["require_pkce"]) == (False, True)
    assert "client_credentials" in changed["grant_types"]
    changed = operator.done("client", "change", "shop", "--no-own-tokens")
    assert changed["grant_types"] == ["authorization_code", "refresh_token"]


def test_the_table_shows_what_an_application_has(operator: Operator) -> None:
    operator.done("client", "create", "shop", *WEB)
    shown = operator.run("client", "show", "shop").out
    assert "redirect_uris" in shown
    assert CALLBACK in shown
    assert "logo_uri" not in shown


def test_a_secret_for_the_file_is_private_and_of_our_format(operator: Operator) -> None:
    outcome = operator.run("client", "new-secret", "shop.secret")
    assert outcome.code == 0, outcome.err
    file = operator.folder / "shop.secret"
    secret = file.read_text().strip()
    assert file.stat().st_mode & 0o777 == 0o600
    assert token_format.parse(secret).kind == token_format.CLIENT_SECRET
    assert secret not in outcome.out + outcome.err
    operator.refused(3, ["exists already"], "client", "new-secret", "shop.secret")
