"""The operator's ``ostiary token list`` and ``ostiary token revoke --jti`` on a local installation."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest

from ostiary.model.token import AccessToken
from ostiary.storage.open import storage_for
from tests.cli.operator import ORDERS, Operator
from tests.cli.operator_fixture import operator

__all__ = ["operator"]


def token(jti: str, client_id: str = "shop", life: int = 600) -> AccessToken:
    now = int(time.time())
    return AccessToken(
        jti=jti,
        format="reference",
        digest=jti.encode().ljust(32),
        client_id=client_id,
        subject=client_id,
        grant_id="gr_shop",
        audience=ORDERS,
        scope="a",
        key_thumbprint="t",
        signing_kid=None,
        rev=0,
        issued_at=now,
        expires_at=now + life,
    )


@pytest.fixture
def shop(operator: Operator) -> Operator:
    """With the client ``shop`` and three tokens of it, one of them expired, and a token of somebody else."""
    operator.done("api", "create", ORDERS, "--scope", "a")
    operator.done("client", "create", "shop", "--api", ORDERS, "--scope", "a")

    async def add() -> None:
        storage = storage_for(f"sqlite:///{operator.folder / 'ostiary.db'}")
        await storage.open()
        try:
            async with storage.write() as work:
                for one in (token("t1"), token("t2"), token("t3", life=-120), token("t4", "other")):
                    await work.tokens.add(one)
        finally:
            await storage.close()

    asyncio.run(add())
    return operator


def test_tokens_of_a_client_are_listed(shop: Operator) -> None:
    rows = shop.done("token", "list", "--client", "shop")
    assert [(row["jti"], row["scope"], row["ended_by"]) for row in rows] == [("t1", "a", None), ("t2", "a", None)]
    assert [row["jti"] for row in shop.done("token", "list", "--client", "shop", "--after", "t1")] == ["t2"]


def test_table_names_the_next_page_and_what_to_do(shop: Operator) -> None:
    ran = shop.run("token", "list", "--client", "shop", "--limit", "1")
    assert ran.code == 0
    assert "t1" in ran.out
    assert "add --after t1" in ran.err
    assert "Next: ostiary token revoke --jti JTI" in ran.err


def test_token_is_ended_by_its_jti(shop: Operator) -> None:
    ended = shop.done("token", "revoke", "--jti", "t1")
    assert (ended["ended_now"], ended["ended_by"], ended["client_id"]) == (True, "jti", "shop")
    assert [row["ended_by"] for row in shop.done("token", "list", "--client", "shop")] == ["jti", None]
    assert shop.tags()[-1] == "token:revoked"


@pytest.mark.parametrize("jti", ["t1", "t3"])
def test_token_that_had_ended_is_left_as_it_is(shop: Operator, jti: str) -> None:
    shop.done("token", "revoke", "--jti", "t1")
    ran = shop.run("token", "revoke", "--jti", jti)
    assert (ran.code, "had ended before" in ran.err) == (0, True)
    assert shop.tags().count("token:revoked") == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["list", "--client", "nobody"], "ostiary client list"),
        (["revoke", "--jti", "nobody"], "ostiary token list"),
        (["revoke", "--jti", ""], "jti"),
        (["revoke", "--jti", "t1", "--client-file", "shop.json"], "--client-file"),
        (["revoke", "--jti", "t1", "--file", "token"], "--file"),
        (["revoke", "--config", "ostiary.toml"], "--jti"),
    ],
)
def test_what_does_not_fit_is_refused(shop: Operator, arguments: list[str], word: str) -> None:
    shop.refused(3, [word], "token", *arguments)
    assert "token:revoked" not in shop.tags()


def test_client_is_named(operator: Operator) -> None:
    assert operator.run("token", "list").code == 2


def test_without_the_server_the_operators_part_names_its_extra() -> None:
    """A base install with the extra cli has the client's commands; of the operator's it says what is missing."""
    code = (
        "import sys\n"
        "for name in ('sqlalchemy', 'alembic', 'pydantic_settings', 'uvicorn', 'starlette'): sys.modules[name] = None\n"
        "from ostiary.cli import main; main(['token', 'list', '--client', 'shop'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (3, 'This needs the extra "server": pip install "ostiary[server]"\n')
