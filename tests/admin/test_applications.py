"""The registration of applications with users, over the admin API: what is refused, with the member and the mend."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.model.client import Client
from ostiary.protocol import token_format
from tests.admin.room import Room, public
from tests.authorization_server.world import signing_key

BOTH = ["authorization_code", "client_credentials"]
CALLBACK = "https://app.example.com/callback"


def login(**members: Any) -> dict[str, Any]:
    return {"redirect_uris": [CALLBACK], **members}


def application(room: Room, client_id: str = "app", /, **members: Any) -> Any:
    body = {"client_id": client_id, "name": "App", "login": login(**members.pop("login", {})), **members}
    return room.ask("POST", "/clients", body)


def stored(room: Room, client_id: str = "app") -> Client:
    client: Client = room.world.read(lambda work: work.clients.get(client_id))
    return client


def refused(answer: Any, *words: str) -> None:
    assert answer.status_code == 400, answer.text
    for word in words:
        assert word in answer.json()["error_description"], answer.text


def test_an_application_acts_for_its_users_and_not_at_once_for_itself(room: Room) -> None:
    """ASVS 10.4.4, 10.4.11: grant types one by one, and no more than is needed."""
    made = application(room, keys=[{"key": public(signing_key("app-1"))}])
    assert made.status_code == 201, made.text
    assert made.json()["grant_types"] == ["authorization_code", "refresh_token"]
    assert made.json()["client_secret"] is None
    assert made.json()["login"]["redirect_uris"] == [CALLBACK]


def test_tokens_in_its_own_name_are_asked_for_by_name(room: Room) -> None:
    assert application(room, grant_types=BOTH).json()["grant_types"] == BOTH


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"grant_types": ["client_credentials"]}, ["grant_types", "authorization_code"]),
        (
            {"authentication_method": "none", "grant_types": BOTH},
            ["grant_types"],
        ),
        ({"authentication_method": "none", "jwks_uri": "https://app.example.com/jwks"}, ["keys", "none"]),
        ({"authentication_method": "client_secret_basic", "keys": [{"key": "x"}]}, ["keys", "secret"]),
        ({"login": {"application_type": "browser"}}, ["authentication_method", "single-page"]),
        (
            {"login": {"application_type": "native"}, "authentication_method": "client_secret_post"},
            ["authentication_method", "public"],
        ),
        ({"login": {"require_pkce": False}, "authentication_method": "none"}, ["require_pkce"]),
        ({"login": {"require_pkce": False, "application_type": "native"}}, ["require_pkce"]),
        (
            {
                "login": {"first_party": True, "application_type": "native", "redirect_uris": ["http://127.0.0.1/cb"]},
                "authentication_method": "none",
            },
            ["first_party", "consent"],
        ),
        (
            {
                "login": {
                    "first_party": True,
                    "application_type": "native",
                    "redirect_uris": [CALLBACK, "com.example.app:/cb"],
                },
                "authentication_method": "none",
            },
            ["first_party", "consent"],
        ),
        (
            {"login": {"subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://b.example.com/cb"]}},
            ["sector", "one host"],
        ),
        (
            {
                "login": {
                    "subject_type": "pairwise",
                    "application_type": "native",
                    "redirect_uris": ["http://127.0.0.1/cb"],
                }
            },
            ["sector"],
        ),
        ({"login": {"sector": "example.com"}}, ["sector", "pairwise"]),
        ({"login": {"sector": "https://example.com", "subject_type": "pairwise"}}, ["sector", "host name"]),
        ({"login": {"sector": "example.com:8443", "subject_type": "pairwise"}}, ["sector"]),
        ({"login": {"redirect_uris": []}}, ["redirect_uris", "at least one"]),
        ({"login": {"redirect_uris": [CALLBACK, CALLBACK]}}, ["redirect_uris", "twice"]),
        ({"login": {"home_uri": "http://app.example.com"}}, ["home_uri", "https"]),
        ({"login": {"logo_uri": "data:image/png;base64,AAAA"}}, ["logo_uri", "https"]),
        ({"login": {"logo_uri": "javascript:alert(1)"}}, ["logo_uri", "https"]),
        ({"login": {"backchannel_logout_uri": "https://user@app.example.com/out"}}, ["backchannel_logout_uri"]),
        ({"login": {"refresh_token_life": 100, "refresh_token_idle": 200}}, ["refresh_token_idle"]),
    ],
)
def test_what_does_not_fit_together_is_refused(room: Room, members: dict[str, Any], words: list[str]) -> None:
    refused(application(room, **members), *words)
    assert stored(room) is None
    assert room.tags().count("client:created") == 1  # the administrator


def test_a_public_client_without_users_is_refused(room: Room) -> None:
    answer = room.ask("POST", "/clients", {"name": "x", "authentication_method": "none"})
    refused(answer, "authentication_method", "redirect URIs")


def test_grant_types_of_users_need_users(room: Room) -> None:
    refused(room.ask("POST", "/clients", {"name": "x", "grant_types": ["authorization_code"]}), "grant_types")


@pytest.mark.parametrize("name", ["id_token_alg", "userinfo_alg"])
@pytest.mark.parametrize("alg", ["none", "HS256", "es256", ""])
def test_another_algorithm_than_those_of_id_tokens_is_refused(room: Room, name: str, alg: str) -> None:
    assert application(room, login={name: alg}).status_code == 422


def test_the_installation_has_keys_for_what_applications_want(room: Room) -> None:
    assert application(room, login={"id_token_alg": "RS256"}).status_code == 201
    assert room.world.signing_keys.current("RS256").kid


def test_a_first_party_with_an_assured_identity_is_registered(room: Room) -> None:
    assert application(room, login={"first_party": True}).json()["login"]["first_party"] is True
    spa = application(
        room, "spa", login={"first_party": True, "application_type": "browser"}, authentication_method="none"
    )
    assert spa.json()["login"]["first_party"] is True


def test_the_sector_is_kept_so_that_another_address_changes_no_subject(room: Room) -> None:
    """OpenID Connect Core 8.1: the subjects hang on the sector."""
    application(room, login={"subject_type": "pairwise"})
    assert stored(room).login.sector == "app.example.com"  # type: ignore[union-attr]
    changed = room.ask("PATCH", "/clients/app", {"login": {"redirect_uris": [CALLBACK, "https://b.example.com/cb"]}})
    assert changed.json()["login"]["sector"] == "app.example.com"


@pytest.mark.parametrize("member", ["subject_type", "sector", "application_type"])
def test_what_makes_an_application_is_not_changed(room: Room, member: str) -> None:
    application(room)
    assert room.ask("PATCH", "/clients/app", {"login": {member: "pairwise"}}).status_code == 422


def test_an_exemption_from_pkce_is_audited(room: Room) -> None:
    """RFC 9700 2.1.1"""
    application(room, login={"require_pkce": False})
    assert room.tags().count("client:pkce_exempted") == 1
    application(room, "second")
    room.ask("PATCH", "/clients/second", {"login": {"require_pkce": False}})
    room.ask("PATCH", "/clients/second", {"login": {"home_uri": "https://app.example.com"}})
    assert room.tags().count("client:pkce_exempted") == 2


def test_the_login_is_changed_member_by_member(room: Room) -> None:
    application(room, login={"home_uri": "https://app.example.com", "refresh_token_life": 600})
    other = "https://app.example.com/other"
    answer = room.ask("PATCH", "/clients/app", {"login": {"redirect_uris": [other], "refresh_token_life": None}})
    changed = answer.json()["login"]
    assert (changed["redirect_uris"], changed["home_uri"]) == ([other], "https://app.example.com")
    assert changed["refresh_token_life"] is None
    refused(room.ask("PATCH", "/clients/app", {"login": {"redirect_uris": ["http://x.example/"]}}), "redirect_uris")
    assert stored(room).login.redirect_uris == (other,)  # type: ignore[union-attr]


def test_a_client_without_users_does_not_become_an_application(room: Room) -> None:
    """What it may do in its own name was given for another purpose than what users allow."""
    room.make("/clients", {"client_id": "machine", "name": "x"})
    refused(room.ask("PATCH", "/clients/machine", {"login": {"redirect_uris": [CALLBACK]}}), "new client")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_secret_is_told_once_and_only_its_digest_is_kept(room: Room, method: str) -> None:
    made = application(room, authentication_method=method).json()
    secret = made["client_secret"]
    assert token_format.parse(secret).kind == token_format.CLIENT_SECRET
    assert stored(room).secret_digest == token_format.digest(secret)
    for shown in (room.ask("GET", "/clients/app"), room.ask("GET", "/clients"), room.ask("GET", "/audit")):
        assert secret not in shown.text
        assert token_format.digest(secret).hex() not in shown.text
    for file in room.world.folder.glob("ostiary.db*"):
        assert secret.encode() not in file.read_bytes()


def test_a_new_secret_ends_the_old_one(room: Room) -> None:
    made = application(room, authentication_method="client_secret_post").json()

    def status(secret: str) -> int:
        form = {"client_id": "app", "client_secret": secret, "token": "x"}
        return room.world.post("/revoke", form).status

    renewed = room.ask("POST", "/clients/app/secret").json()["client_secret"]
    assert renewed != made["client_secret"]
    assert (status(made["client_secret"]), status(renewed)) == (401, 200)
    assert room.tags().count("client:secret_made") == 1


def test_a_client_with_a_key_gets_no_secret(room: Room) -> None:
    application(room)
    refused(room.ask("POST", "/clients/app/secret"), "private_key_jwt", "ostiary client keys add")


def test_a_secret_ends_when_the_client_changes_to_a_key(room: Room) -> None:
    application(room, authentication_method="client_secret_basic")
    changed = room.ask("PATCH", "/clients/app", {"authentication_method": "private_key_jwt"})
    assert changed.json()["authentication_method"] == "private_key_jwt"
    assert stored(room).secret_digest is None
    refused(room.ask("PATCH", "/clients/app", {"authentication_method": "client_secret_post"}), "no secret")


def test_the_method_is_judged_with_what_the_client_is(room: Room) -> None:
    room.make("/clients", {"client_id": "machine", "name": "x"})
    refused(room.ask("PATCH", "/clients/machine", {"authentication_method": "none"}), "authentication_method")
    application(room, login={"require_pkce": False})
    refused(room.ask("PATCH", "/clients/app", {"authentication_method": "none"}), "require_pkce")


def test_the_identity_of_an_api_proves_itself_by_its_key_alone(room: Room) -> None:
    room.world.add_client("api_x", kind="api", scopes={}, grant_types=())
    refused(room.ask("PATCH", "/clients/api_x", {"authentication_method": "none"}), "identity of an API")
    refused(room.ask("PATCH", "/clients/api_x", {"grant_types": ["client_credentials"]}), "identity of an API")
