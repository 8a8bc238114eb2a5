"""``ostiary client`` and ``ostiary client keys`` on a local installation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ostiary.admin import clients
from ostiary.errors import Unavailable
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from tests.cli.operator import ORDERS, Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]


@pytest.fixture
def shop(operator: Operator) -> Operator:
    """With the API of the orders and the client ``shop``."""
    operator.done("api", "create", ORDERS, "--scope", "orders:read=see", "--scope", "orders:write=change")
    operator.done("client", "create", "shop", "--api", ORDERS, "--scope", "orders:read", "--generate", "shop.json")
    return operator


def public_file(folder: Path, name: str = "public.json", key: SigningKey | None = None) -> str:
    made = key or SigningKey.generate("ES256")
    (folder / name).write_text(json.dumps(made.verification_key.public_jwk()))
    return name


def test_generated_credential_is_private_and_its_public_half_is_registered(shop: Operator) -> None:
    file = shop.folder / "shop.json"
    credential = Credential.parse(file.read_bytes())
    assert file.stat().st_mode & 0o777 == 0o600
    assert (credential.client_id, credential.issuer) == ("shop", "https://auth.example.com")
    assert [key["kid"] for key in shop.done("client", "keys", "list", "shop")] == [credential.key.kid]


def test_private_key_never_reaches_database_or_output(operator: Operator) -> None:
    told = operator.run("client", "create", "shop", "--generate", "shop.json", "--format", "json")
    secret = json.loads((operator.folder / "shop.json").read_bytes())["private_key"]["d"]
    assert secret not in told.out + told.err
    for file in operator.folder.glob("ostiary.db*"):
        assert secret.encode() not in file.read_bytes()


def test_existing_file_is_never_written_over_and_nothing_is_registered(shop: Operator) -> None:
    before = (shop.folder / "shop.json").read_bytes()
    shop.refused(3, ["exists already"], "client", "create", "other", "--generate", "shop.json")
    assert (shop.folder / "shop.json").read_bytes() == before
    assert [row["client_id"] for row in shop.done("client", "list")] == ["shop"]


def test_file_of_a_refused_registration_is_removed(shop: Operator) -> None:
    shop.refused(3, ["taken"], "client", "create", "shop", "--generate", "second.json")
    assert not (shop.folder / "second.json").exists()


def test_file_is_kept_when_nobody_knows_whether_the_key_was_registered(
    shop: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lost(*_: object) -> None:
        raise Unavailable("storage", "the answer was lost")

    monkeypatch.setattr(clients, "create_client", lost)
    shop.refused(4, ["was kept", "storage"], "client", "create", "other", "--generate", "other.json")
    assert (shop.folder / "other.json").exists()


def test_client_id_may_be_left_to_the_program(operator: Operator) -> None:
    made = operator.done("client", "create", "--generate", "new.json")
    assert made["client_id"].startswith("cl_")
    assert Credential.parse((operator.folder / "new.json").read_bytes()).client_id == made["client_id"]


def test_several_apis_are_granted_each_with_its_scopes(shop: Operator) -> None:
    bills = "https://bills.example.com/?v=1"
    shop.done("api", "create", bills, "--scope", "a", "--scope", "b")
    made = shop.done("client", "create", "two", "--grant", f"{ORDERS}=orders:read", "--grant", f"{bills}=a,b")
    assert made["scopes"] == {ORDERS: ["orders:read"], bills: ["a", "b"]}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--scope", "orders:read"], "--api"),
        (["--grant", "orders:read"], "IDENTIFIER=scope"),
        (["--api", "https://unknown.example", "--scope", "a"], "no API"),
        (["--api", ORDERS, "--scope", "orders:delete"], "it has: orders:read"),
        (["--token-life", "1201"], "tokens.max_life"),
        (["--jwks-uri", "http://keys.example/"], "https"),
        (["--name", "two\nlines"], "one line"),
        (["--key", "absent.pem"], "cannot be read"),
        (["--key", "shop.json"], "refused"),
        (["--generate", "x.json", "--alg", "HS256"], "ES256"),
        (["--generate", "x.json", "--key", "y"], "both given"),
    ],
)
def test_client_that_does_not_fit_is_refused_with_the_mend(shop: Operator, arguments: list[str], word: str) -> None:
    shop.refused(3, [word], "client", "create", "new", *arguments)
    assert not (shop.folder / "x.json").exists()
    assert [row["client_id"] for row in shop.done("client", "list")] == ["shop"]


def test_wrong_id_is_refused(operator: Operator) -> None:
    operator.refused(3, ["usr_"], "client", "create", "usr_1")


def test_client_is_changed_disabled_and_enabled(shop: Operator) -> None:
    changed = shop.done("client", "change", "shop", "--grant", f"{ORDERS}=orders:write", "--token-life", "60")
    assert (changed["scopes"], changed["token_life"]) == ({ORDERS: ["orders:write"]}, 60)
    assert shop.done("client", "disable", "shop")["state"] == "disabled"
    assert shop.done("client", "show", "shop")["state"] == "disabled"
    assert shop.done("client", "enable", "shop")["state"] == "active"
    assert {"client:updated", "client:disabled", "client:enabled"} <= set(shop.tags())
    shop.refused(3, ["nothing to change"], "client", "change", "shop")


def test_unknown_client_is_named(operator: Operator) -> None:
    for verb in (["show"], ["disable"], ["enable"], ["keys", "list"]):
        operator.refused(3, ["'nobody'", "ostiary client list"], "client", *verb, "nobody")


def test_key_is_added_beside_the_first_then_that_is_retired(shop: Operator) -> None:
    first = shop.done("client", "keys", "list", "shop")[0]["kid"]
    added = shop.done("client", "keys", "add", "shop", "--generate", "next.json", "--expires", "+30d")[0]
    assert added["expires_at"] - added["created_at"] == 30 * 86_400
    assert Credential.parse((shop.folder / "next.json").read_bytes()).key.kid == added["kid"]
    assert shop.done("client", "keys", "retire", "shop", first)[0]["state"] == "retired"
    assert shop.done("client", "keys", "revoke", "shop", added["kid"])[0]["state"] == "revoked"
    states = {key["kid"]: key["state"] for key in shop.done("client", "keys", "list", "shop")}
    assert states == {first: "retired", added["kid"]: "revoked"}


def test_key_file_is_added_with_its_times(shop: Operator) -> None:
    file = public_file(shop.folder)
    times = ("--not-before", "2099-01-01", "--expires", "2099-02-01T12:00+01:00")
    added = shop.done("client", "keys", "add", "shop", "--key", file, *times)[0]
    # 2099-01-01T00:00Z, and 2099-02-01T11:00Z, which is 31 days and 11 hours later.
    assert (added["not_before"], added["expires_at"]) == (4_070_908_800, 4_070_908_800 + 31 * 86_400 + 11 * 3600)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "either"),
        (["--key", "public.json", "--generate", "x.json"], "either"),
        (["--generate", "x.json", "--kid", "k"], "--kid"),
        (["--key", "public.json", "--expires", "soon"], "no time"),
        (["--key", "public.json", "--expires", "2001-01-01"], "its end must lie in the future"),
    ],
)
def test_key_that_does_not_fit_is_refused(shop: Operator, arguments: list[str], word: str) -> None:
    public_file(shop.folder)
    shop.refused(3, [word], "client", "keys", "add", "shop", *arguments)
    assert len(shop.done("client", "keys", "list", "shop")) == 1


def test_generated_key_of_an_api_is_an_api_credential(shop: Operator) -> None:
    api = shop.done("api", "create", "https://b.example", "--generate", "b.json")
    shop.done("client", "keys", "add", api["client_id"], "--generate", "b2.json")
    found = Credential.parse((shop.folder / "b2.json").read_bytes())
    assert (found.kind, found.audience) == ("ostiary-api", "https://b.example")


def test_second_api_is_not_taken_for_the_first_in_silence(shop: Operator) -> None:
    apis = ("--api", ORDERS, "--api", "https://b.example")
    shop.refused(3, ["--api is given more than once", "--grant"], "client", "create", "new", *apis)


def test_scopes_of_several_apis_are_told_apart(shop: Operator) -> None:
    shop.done("api", "create", "https://b.example", "--scope", "b:read")
    several = ("--grant", f"{ORDERS}=orders:read", "--grant", "https://b.example=b:read")
    told = shop.run("client", "create", "new", *several)
    assert f"{ORDERS}: orders:read; https://b.example: b:read" in told.out
    assert "b:read;" not in told.out


def test_table_and_next_step_are_for_people(shop: Operator) -> None:
    told = shop.run("client", "list")
    assert told.out.splitlines()[0].split()[:3] == ["client_id", "name", "kind"]
    assert "Next: ostiary client show" in told.err


@pytest.mark.parametrize("verb", ["retire", "revoke"])
def test_a_kid_that_begins_like_an_option_is_a_kid(shop: Operator, verb: str) -> None:
    public = SigningKey.generate("ES256", kid="-mk9_kid").verification_key.public_jwk()
    (shop.folder / "dashed.jwk").write_text(json.dumps(public))
    shop.done("client", "keys", "add", "shop", "--key", "dashed.jwk")
    assert shop.done("client", "keys", verb, "shop", "-mk9_kid")[0]["kid"] == "-mk9_kid"
