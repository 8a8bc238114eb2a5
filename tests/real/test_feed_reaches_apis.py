"""A real server and an API that verifies by itself: what is revoked is refused, and the operator sees who knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ostiary.resource_server import ApiRequest, Refused, ResourceServer
from ostiary.resource_server.elapsed import elapsed
from ostiary.resource_server.issuer import IssuerConfig
from tests.real.feed_reader import feed_reader
from tests.real.served import ORDERS, Served
from tests.real.test_revocation_feed import revoked, written
from tests.real_parts.postgres import PostgresServer
from tests.resource_server.waiting import until

pytestmark = pytest.mark.real


def status(guard: ResourceServer, token: str) -> int:
    """What the API says to a caller with this token."""
    request = ApiRequest("GET", "/orders", headers=[(b"authorization", f"Bearer {token}".encode())])
    try:
        guard.check_sync(request)
    except Refused as refused:
        return refused.status
    return 200


def api(served: Served) -> ResourceServer:
    config = IssuerConfig(served.issuer, internal_url=served.url)
    return ResourceServer([config], audience=ORDERS, credential=served.api_file, revocation="feed")


def test_an_api_refuses_what_is_revoked_and_the_operator_sees_that_it_knows(tmp_path: Path) -> None:
    served = Served(tmp_path)
    with served.run():
        token, other = served.token(), served.token()
        guard = api(served)
        try:
            assert (status(guard, token), status(guard, other)) == (200, 200)
            form = {name: value for name, value in served.form().items() if name.startswith("client_")}
            assert served.ask("/revoke", form | {"token": token}).status_code == 200
            until(lambda: status(guard, token) == 401)
            assert status(guard, other) == 200
            until(lambda: shown(served) == (1, 0))
        finally:
            guard.close()


def shown(served: Served) -> tuple[int, int]:
    """How many processes of ORDERS follow, and how many rows the slowest is behind."""
    row = json.loads(served.ostiary("api", "show", ORDERS, "--format", "json"))
    return row["readers"], row["behind"]


def test_an_api_goes_on_where_it_stood_when_the_server_was_started_anew(tmp_path: Path) -> None:
    served = Served(tmp_path)
    guard = api(served)
    try:
        with served.run():
            token, other = served.token(), served.token()
            assert status(guard, token) == 200
        jti = json.loads(served.ostiary("token", "list", "--client", "orders-client", "--format", "json"))[0]["jti"]
        written(f"sqlite:///{served.database}", jti)
        with served.run():
            until(lambda: sorted((status(guard, token), status(guard, other))) == [200, 401])
    finally:
        guard.close()


# -- a primary that was cut off from its synchronous standby ----------------------------------------------------------


@pytest.fixture
def primary() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


def set_standby(primary: PostgresServer, name: str) -> None:
    """Each commit from now on waits for the standby of this name, which there is not; "" for none."""
    with psycopg.connect(primary.url(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'".encode())
        connection.execute("SELECT pg_reload_conf()")


def waits_for_the_standby(primary: PostgresServer) -> bool:
    """Whether a node has wanted to commit for several heartbeats, and could not."""
    query = (
        b"SELECT count(*) FROM pg_stat_activity"
        b" WHERE wait_event = 'SyncRep' AND now() - state_change > interval '1 second'"
    )
    with psycopg.connect(primary.url(), autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row is not None and row[0] > 0


def test_a_primary_that_lost_its_standby_makes_nothing_look_fresh(tmp_path: Path, primary: PostgresServer) -> None:
    """It can still be read, but another one may have taken its place, and revoke what it does not know of."""
    settings = {
        "storage": [f'url = "{primary.fresh_database()}"'],
        "revocation_feed": ["heartbeat = 0.05"],
    }
    served = Served(tmp_path, settings=settings)
    with served.run(), feed_reader(served) as reader:
        reader.next()
        revoked(served)
        reader.until(1)
        set_standby(primary, "nobody")
        try:
            until(lambda: waits_for_the_standby(primary))
            cut_off = elapsed() * 1000
            time_passes = elapsed() + 1
            until(lambda: elapsed() > time_passes)
            mended = elapsed() * 1000
        finally:
            set_standby(primary, "")
        moments = [reader.known.at]
        while moments[-1] < mended:
            moments.append(reader.next().at)
        assert [moment for moment in moments if cut_off < moment < mended] == []
