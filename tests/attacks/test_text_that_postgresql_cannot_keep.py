"""U+0000 in what strangers and receivers send: refused as theirs, and never told as a fault of the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ostiary.storage.postgres import PostgresStorage
from tests.authorization_server.world import ISSUER, World, shop_world
from tests.shared_signals.receiver import Receiver


@pytest.fixture
def on_postgres(migrated_postgres_url: str, tmp_path: Path) -> Iterator[World]:
    with shop_world(tmp_path, storage=PostgresStorage(migrated_postgres_url)) as world:
        yield world


def test_whoever_names_a_client_or_a_place_with_it_is_refused(on_postgres: World) -> None:
    assertion = on_postgres.assertion("shop", iss="sh\0op", sub="sh\0op")
    assert on_postgres.token("shop", assertion=assertion).status == 401
    assert on_postgres.get("/status-lists/a\0").status == 404


def test_a_receiver_that_sends_it_is_refused(on_postgres: World) -> None:
    receiver = Receiver(on_postgres)
    receiver.create()
    subject = {"format": "iss_sub", "iss": ISSUER, "sub": "a\0"}
    answers = [
        receiver.poll(ack=["a\0"]),
        receiver.poll(setErrs={"a\0": {"err": "invalid_request"}}),
        receiver.post("/ssf/subjects/remove", subject=subject),
        receiver.call("PATCH", "/ssf/streams", {"stream_id": receiver.stream_id, "description": "a\0"}),
    ]
    assert [answer.status for answer in answers] == [400] * 4
