"""``ostiary admin bootstrap``, and the operator's commands by the admin API of a running server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.protocol.credential import Credential
from ostiary.storage.base import Storage
from ostiary.storage.open import storage_for
from tests.cli.operator import ORDERS, Operator
from tests.cli.operator_fixture import operator
from tests.real_parts.ports import free_port
from tests.real_parts.processes import Process

__all__ = ["operator"]


def test_bootstrap_makes_the_admin_api_and_its_first_client(operator: Operator) -> None:
    made = operator.done("admin", "bootstrap", "--id", "chief", "--generate", "chief.json")
    identifier = "https://auth.example.com/admin"
    assert made["scopes"] == {identifier: ["admin:read", "admin:write"]}
    assert operator.done("api", "show", identifier)["token_format"] == "reference"
    credential = Credential.parse((operator.folder / "chief.json").read_bytes())
    assert (credential.kind, credential.client_id) == ("ostiary-client", "chief")
    assert (operator.folder / "chief.json").stat().st_mode & 0o777 == 0o600
    assert "admin:bootstrapped" in operator.tags()


def test_second_administrator_is_made_beside_the_first(operator: Operator) -> None:
    operator.done("admin", "bootstrap", "--generate", "one.json")
    operator.refused(3, ["taken"], "admin", "bootstrap", "--generate", "two.json")
    assert not (operator.folder / "two.json").exists()
    operator.done("admin", "bootstrap", "--id", "second", "--generate", "two.json")


def test_bootstrap_is_local_only(operator: Operator) -> None:
    elsewhere = ("--admin-url", "https://a.example/admin", "--admin-file", "x")
    operator.refused(3, ["own machine"], "admin", "bootstrap", "--generate", "x.json", *elsewhere)
    assert not (operator.folder / "x.json").exists()


def test_a_new_epoch_is_begun_on_this_machine_and_only_if_it_is_meant(operator: Operator) -> None:
    operator.done("api", "list")
    operator.refused(2, ["--yes"], "admin", "new-epoch")
    assert "installation:epoch_raised" not in operator.tags()
    epochs = [operator.done("admin", "new-epoch", "--yes") for _ in range(2)]
    assert epochs[0]["epoch"] < epochs[1]["epoch"]
    assert epochs[0] == {"epoch": epochs[0]["epoch"], "grants": 0, "sessions": 0, "artifacts": 0}
    assert "installation:epoch_raised" in operator.tags()
    elsewhere = ("--admin-url", "https://a.example/admin", "--admin-file", "x")
    operator.refused(3, ["own machine"], "admin", "new-epoch", "--yes", *elsewhere)


def test_a_new_epoch_may_take_the_database_longer_than_an_answer(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def opened(url: str, *, patient: bool) -> Storage:
        asked.append(patient)
        return storage_for(url, patient=patient)

    monkeypatch.setattr("ostiary.cli.local.storage_for", opened)
    operator.done("api", "list")
    operator.done("admin", "new-epoch", "--yes")
    assert asked == [False, True]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--admin-url", "https://a.example/admin"], "--admin-file"),
        (["--admin-url", "http://a.example/admin", "--admin-file", "chief.json"], "https"),
        (["--admin-url", "https://a.example/admin", "--admin-file", "chief.json", "--config", "c"], "--config"),
    ],
)
def test_remote_options_that_do_not_fit_are_refused(operator: Operator, arguments: list[str], word: str) -> None:
    operator.done("admin", "bootstrap", "--generate", "chief.json")
    operator.refused(3, [word], "client", "list", *arguments)


@pytest.fixture
def elsewhere(operator: Operator, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """A running server and the options that name its admin API; the present folder holds no installation."""
    port, management = free_port(), free_port()
    directory = tmp_path / "server"
    (tmp_path / "ostiary.toml").unlink()
    ports = ["--port", str(port), "--management-port", str(management)]
    command = [sys.executable, "-m", "ostiary", "dev", "--directory", str(directory), *ports]
    with Process(command) as server:
        server.wait_for_line("Ostiary is ready")
        operator.done("admin", "bootstrap", "--generate", "chief.json", "--directory", str(directory))
        yield ("--admin-url", f"http://127.0.0.1:{management}/admin", "--admin-file", "chief.json")


@pytest.mark.real
def test_commands_do_the_same_by_the_admin_api(operator: Operator, elsewhere: tuple[str, ...]) -> None:
    api = operator.done("api", "create", ORDERS, "--scope", "a=see", "--generate", "api.json", *elsewhere)
    shown = operator.done("api", "show", ORDERS, *elsewhere)
    assert {**api, **shown} == api | {"readers": 0, "behind": None, "seen": None}
    operator.done("client", "create", "shop", "--grant", f"{ORDERS}=a", "--generate", "shop.json", *elsewhere)
    assert {"shop", "admin"} <= {row["client_id"] for row in operator.done("client", "list", *elsewhere)}
    token = operator.run("token", "get", "--client-file", "shop.json", "--resource", ORDERS)
    assert token.code == 0, token.err
    [held] = operator.done("token", "list", "--client", "shop", *elsewhere)
    assert operator.done("token", "revoke", "--jti", held["jti"], *elsewhere)["ended_now"]
    assert operator.done("token", "list", "--client", "shop", *elsewhere)[0]["ended_by"] == "jti"
    operator.refused(3, ["ostiary token list"], "token", "revoke", "--jti", "nobody", *elsewhere)
    assert operator.done("api", "change", ORDERS, "--life", "60", *elsewhere)["token_life"] == 60
    assert operator.done("api", "disable", ORDERS, *elsewhere)["state"] == "disabled"
    assert operator.run("token", "get", "--client-file", "shop.json", "--resource", ORDERS).code == 1
    assert operator.done("api", "enable", ORDERS, *elsewhere)["state"] == "active"
    assert operator.run("token", "get", "--client-file", "shop.json", "--resource", ORDERS).code == 0
    kid = operator.done("client", "keys", "list", "shop", *elsewhere)[0]["kid"]
    operator.done("client", "keys", "add", "shop", "--generate", "next.json", *elsewhere)
    assert operator.done("client", "keys", "retire", "shop", kid, *elsewhere)[0]["state"] == "retired"
    assert operator.run("token", "get", "--client-file", "shop.json", "--resource", ORDERS).code == 1
    assert operator.done("client", "change", "shop", "--owner", "us", *elsewhere)["owner"] == "us"
    assert operator.done("keys", "rotate", *elsewhere)[0]["outcome"] in ("switched", "scheduled")
    assert operator.done("client", "disable", "shop", *elsewhere)["state"] == "disabled"
    assert operator.run("token", "get", "--client-file", "next.json", "--resource", ORDERS).code == 1
    operator.refused(3, ["taken"], "client", "create", "shop", "--generate", "again.json", *elsewhere)
    assert not (operator.folder / "again.json").exists()
    operator.refused(3, ["no client"], "client", "show", "nobody", *elsewhere)
