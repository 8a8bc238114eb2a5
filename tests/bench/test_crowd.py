"""A database that was filled in bulk is one that a server made: the same indexes, and rows that the server finds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import inspect

from bench.crowd import Crowd
from ostiary.authorization_server.identifiers import new_jti
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.protocol import token_format
from ostiary.serving.prepare import prepare
from ostiary.settings import load_settings
from ostiary.storage.migrate import engine_of
from ostiary.storage.open import storage_for


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database as `ostiary serve` makes it, empty."""
    found = f"sqlite:///{tmp_path}/ostiary.db"
    if request.param == "postgres":
        found = str(request.getfixturevalue("postgres_url"))
    create_key_encryption_key(tmp_path / "kek")
    keys = '[keys]\nkey_encryption_key_file = "kek"\n'
    written = f'issuer = "https://issuer.example"\n[storage]\nurl = "{found}"\n{keys}'
    (tmp_path / "ostiary.toml").write_text(written)
    asyncio.run(prepare(load_settings(tmp_path / "ostiary.toml")))
    return found


def indexes(url: str) -> set[tuple[str, str, tuple[str | None, ...], bool]]:
    engine = engine_of(url)
    try:
        looked = inspect(engine)
        return {
            (table, str(one["name"]), tuple(one["column_names"]), bool(one["unique"]))
            for table in ("clients", "client_keys", "grants", "access_tokens")
            for one in looked.get_indexes(table)
        }
    finally:
        engine.dispose()


def test_a_filled_database_has_the_indexes_that_it_had(url: str) -> None:
    before = indexes(url)
    Crowd(20, 200, asked=5).move_in(url)
    assert indexes(url) == before
    assert len(before) >= 8


def test_the_server_finds_the_clients_the_keys_and_the_tokens_that_can_be_asked_about(url: str) -> None:
    crowd = Crowd(20, 200, asked=5)
    crowd.move_in(url)

    async def act() -> None:
        storage = storage_for(url)
        await storage.open()
        async with storage.read() as work:
            assert len(crowd.known) == 25
            for client_id, text in crowd.known:
                token = await work.tokens.by_digest(token_format.digest(text))
                client = await work.clients.get(client_id)
                assert token is not None
                assert client is not None
                assert (token.client_id, token.grant_id) == (client_id, client.grant_id)
                assert await work.grants.get(client.grant_id) is not None
                keys = await work.client_keys.of_client(client_id)
                assert [key.thumbprint for key in keys] == [crowd.keys[client_id].verification_key.thumbprint]
            listed = [await work.tokens.of_client(f"client-{one:08}", now=crowd.now) for one in range(20)]
        await storage.close()
        assert [len(tokens) for tokens in listed] == [10] * 20
        assert {len(token.jti) for tokens in listed for token in tokens} == {len(new_jti(crowd.now))}

    asyncio.run(act())
