"""``ostiary acme eab``: credentials are made into a file of mode 0600, listed and revoked."""

from __future__ import annotations

import stat

import pytest

from tests.cli.operator import Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]

EAB = ("acme", "eab")
CREATE = (*EAB, "create", "--file", "eab.ini")


def test_the_first_command_makes_the_database(operator: Operator) -> None:
    (operator.folder / "ostiary.db").unlink()
    assert operator.done(*CREATE, "--owner", "ops", "--dns", "example.com")["state"] == "active"


def test_a_key_stands_in_its_file_alone(operator: Operator) -> None:
    named = ("--owner", "ops", "--dns", "Example.com", "--network", "10.0.0.0/8")
    outcome = operator.run(*CREATE, *named)
    assert outcome.code == 0, outcome.err
    file = operator.folder / "eab.ini"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = dict(line.split(" = ") for line in file.read_text().splitlines())
    assert lines["server"] == "https://auth.example.com/acme/directory"
    assert len(lines["eab-hmac-key"]) == 43
    assert lines["eab-hmac-key"] not in outcome.out + outcome.err
    (row,) = operator.done(*EAB, "list")
    assert (row["key_id"], row["owner"], row["state"]) == (lines["eab-kid"], "ops", "active")
    assert (row["dns"], row["networks"]) == (["example.com"], ["10.0.0.0/8"])
    assert "acme_credential:created" in operator.tags()


def test_a_file_that_exists_is_left_alone_and_no_credential_is_made(operator: Operator) -> None:
    (operator.folder / "eab.ini").write_text("mine")
    operator.refused(3, ["not overwritten"], *CREATE, "--owner", "ops", "--dns", "example.com")
    assert (operator.folder / "eab.ini").read_text() == "mine"
    assert operator.done(*EAB, "list") == []


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--owner", "ops"), "permit something"),
        (("--owner", " ", "--dns", "example.com"), "owner"),
        (("--owner", "ops", "--dns", "*.example.com"), "wildcard"),
        (("--owner", "ops", "--dns", "a b"), "host name"),
        (("--owner", "ops", "--network", "10.0.0.1/8"), "network"),
    ],
)
def test_what_permits_nothing_or_nonsense_is_refused_and_leaves_no_file(
    operator: Operator, options: tuple[str, ...], word: str
) -> None:
    operator.refused(3, [word], *CREATE, *options)
    assert not (operator.folder / "eab.ini").exists()


def test_a_credential_is_revoked_once(operator: Operator) -> None:
    row = operator.done(*CREATE, "--owner", "ops", "--dns", "example.com")
    assert operator.done(*EAB, "revoke", row["key_id"])["state"] == "revoked"
    operator.refused(3, ["before"], *EAB, "revoke", row["key_id"])
    operator.refused(3, ["eab list"], *EAB, "revoke", "nobody")
    (kept,) = operator.done(*EAB, "list")
    assert kept["state"] == "revoked"
    assert "acme_credential:revoked" in operator.tags()
