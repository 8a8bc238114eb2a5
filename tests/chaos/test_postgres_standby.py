"""The pair of databases of the faults: what was committed is with the standby before it is answered."""

from __future__ import annotations

import psycopg
import pytest

from tests.real_parts.postgres import PostgresServer
from tests.real_parts.postgres_standby import PostgresStandby

pytestmark = pytest.mark.real


def test_a_synchronous_standby_has_what_was_committed_when_the_primary_dies() -> None:
    with PostgresServer() as primary:
        url = primary.fresh_database()
        with PostgresStandby(primary, synchronous=True) as standby:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE TABLE kept (number int)")
                connection.execute("INSERT INTO kept VALUES (7)")
            primary.crash()
            standby.promote()
            with psycopg.connect(standby.url(url.rpartition("/")[2])) as connection:
                assert connection.execute("SELECT number FROM kept").fetchall() == [(7,)]
