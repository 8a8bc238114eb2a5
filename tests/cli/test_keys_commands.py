"""``ostiary keys`` on a local installation."""

from __future__ import annotations

import pytest

from tests.cli.operator import ORDERS, Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]


@pytest.fixture
def running(operator: Operator) -> Operator:
    """With signing keys, as a server would have made them (here: an API that wants an algorithm of its own)."""
    operator.done("api", "create", ORDERS, "--alg", "EdDSA")
    return operator


def active(operator: Operator, alg: str = "EdDSA") -> str:
    return str(
        next(key["kid"] for key in operator.done("keys", "list") if (key["alg"], key["state"]) == (alg, "active"))
    )


def test_list_shows_stages_and_no_private_half(running: Operator) -> None:
    rows = running.done("keys", "list")
    assert {row["state"] for row in rows} == {"active", "published"}
    assert all("wrapped_private_key" not in row and "d" not in row["public_jwk"] for row in rows)


def test_rotation_of_one_algorithm_is_told(running: Operator) -> None:
    before = active(running)
    outcome = running.done("keys", "rotate", "--alg", "EdDSA")
    assert [(one["alg"], one["old_kid"]) for one in outcome] == [("EdDSA", before)]
    assert outcome[0]["outcome"] in ("switched", "scheduled")
    running.refused(3, ["PS256"], "keys", "rotate", "--alg", "PS256")


def test_withdrawal_needs_a_yes(running: Operator) -> None:
    before = active(running)
    running.refused(2, ["--yes"], "keys", "rotate", "--compromised")
    assert active(running) == before
    outcome = running.done("keys", "rotate", "--compromised", "--kid", before, "--yes")
    assert [one["outcome"] for one in outcome] == ["withdrawn"]
    assert active(running) != before
    assert "signing_key:withdrawn" in running.tags()


def test_rewrap_changes_the_key_encryption_key(running: Operator) -> None:
    assert running.run("keys", "new-kek", "new-kek").code == 0
    assert (running.folder / "new-kek").stat().st_mode & 0o777 == 0o600
    told = running.done("keys", "rewrap", "--new-file", "new-kek")
    assert told["rewrapped"] == len(running.done("keys", "list"))
    # Until the new file stands in its place the old one opens nothing, and nothing is signed or made with it.
    running.refused(3, [told["key_encryption_key"]], "keys", "rotate", "--compromised", "--yes")
    (running.folder / "new-kek").replace(running.folder / "kek")
    running.done("keys", "rotate", "--compromised", "--yes")


def test_key_encryption_key_is_never_written_over(running: Operator) -> None:
    before = (running.folder / "kek").read_bytes()
    running.refused(3, ["exists already"], "keys", "new-kek", "kek")
    assert (running.folder / "kek").read_bytes() == before
    assert before.decode().strip() not in running.run("keys", "new-kek", "other").out


def test_rewrap_is_local_only(running: Operator) -> None:
    running.run("keys", "new-kek", "other")
    arguments = ("--admin-url", "https://a.example/admin", "--admin-file", "x")
    running.refused(3, ["own machine"], "keys", "rewrap", "--new-file", "other", *arguments)
