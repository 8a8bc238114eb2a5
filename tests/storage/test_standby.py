"""What `serve` says of a PostgreSQL that may lose what was answered: asked of real servers with real standbys."""

from __future__ import annotations

import psycopg
import pytest

from ostiary.errors import Unavailable
from ostiary.storage.open import storage_warnings
from ostiary.storage.standby import Replication, warnings_of
from tests.real_parts.postgres import PostgresServer
from tests.real_parts.postgres_standby import PostgresStandby


def test_a_server_alone_that_waits_for_its_disk_loses_nothing() -> None:
    with PostgresServer(fsync=True) as server:
        assert storage_warnings(server.url()) == []


def test_a_server_that_waits_for_no_disk_is_warned_of(postgres_url: str) -> None:
    [warning] = storage_warnings(postgres_url)
    assert "fsync = off" in warning
    assert "revocations" in warning


def test_an_asynchronous_standby_is_warned_of_until_it_is_synchronous() -> None:
    with PostgresServer(fsync=True) as primary, PostgresStandby(primary, synchronous=False):
        [warning] = storage_warnings(primary.url())
        assert "asynchronous standby (standby)" in warning
        assert "synchronous_standby_names" in warning
        assert "ostiary admin new-epoch" in warning
        with psycopg.connect(primary.url(), autocommit=True) as operator:
            operator.execute("CREATE ROLE ostiary LOGIN")
        # A user who may not see how a standby follows sees that there is one.
        [unseen] = storage_warnings(primary.url().replace("postgres@", "ostiary@"))
        assert "asynchronous standby (standby)" in unseen
    with PostgresServer(fsync=True) as primary, PostgresStandby(primary, synchronous=True):
        assert storage_warnings(primary.url()) == []
        with psycopg.connect(primary.url(), autocommit=True) as operator:
            operator.execute("ALTER ROLE postgres SET synchronous_commit = 'local'")
        [warning] = storage_warnings(primary.url())
        assert "synchronous_commit = local" in warning


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Replication(), []),
        (Replication(standbys=(("b", "async"), ("a", "async"))), ["asynchronous standby (a, b)"]),
        (Replication(synchronous_standby_names="a", standbys=(("a", "sync"), ("b", "async"))), ["standby (b)"]),
        (Replication(synchronous_standby_names="a", standbys=(("a", "sync"), ("b", "potential"))), []),
        (Replication(synchronous_standby_names="ANY 1 (*)", standbys=(("a", "quorum"), ("b", "quorum"))), []),
        (Replication(synchronous_standby_names="a", standbys=(("unnamed", None),)), []),
        (Replication(synchronous_standby_names="a", synchronous_commit="local"), ["synchronous_commit = local"]),
        (Replication(synchronous_commit="local"), []),
        (Replication(fsync=False, standbys=(("a", "async"),)), ["fsync = off", "standby (a)"]),
    ],
)
def test_each_way_to_lose_something_is_one_sentence(seen: Replication, words: list[str]) -> None:
    found = warnings_of(seen)
    assert len(found) == len(words)
    assert all(word in warning for word, warning in zip(words, found, strict=True))


def test_a_database_that_is_gone_is_unavailable(unused_port: int) -> None:
    with pytest.raises(Unavailable):
        storage_warnings(f"postgresql://postgres@127.0.0.1:{unused_port}/x")


def test_sqlite_has_no_standby(tmp_path: object) -> None:
    assert storage_warnings("sqlite:///ostiary.db") == []
