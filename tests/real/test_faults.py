"""Three nodes, a database and its standby, nginx, two APIs: the faults of docs/operations.md, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import httpx2
import pytest

from chaos import cluster
from chaos.cluster import MAX_STALENESS, Cluster
from chaos.faults import CLOCK_OFF
from ostiary.protocol import client_assertion

pytestmark = pytest.mark.real

UNAVAILABLE = 4  # the exit code of a command that something it needs did not answer


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """All started; each test leaves it mended. The last one loses the primary for good."""
    with cluster.running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def ask(parts: Cluster, number: int | None = None) -> int:
    """The status of a token request at a node, or at the door."""
    port = parts.front if number is None else parts.nodes[number].served.port
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=20.0, trust_env=False) as http:
        return http.post("/token", data=parts.served.form()).status_code


def token(parts: Cluster) -> str:
    """From the first node, fresh."""
    return parts.served.token()


def revoke(parts: Cluster, known: str, number: int) -> None:
    """At a node."""
    form = {"token": known, "client_assertion_type": client_assertion.ASSERTION_TYPE}
    form["client_assertion"] = parts.served.assertion()
    port = parts.nodes[number].served.port
    answer = httpx2.post(f"http://127.0.0.1:{port}/revoke", data=form, timeout=20.0, trust_env=False)
    assert answer.status_code == 200, answer.text


def call(parts: Cluster, known: str, number: int = 0) -> int:
    """The status of a call of an API."""
    headers = {"Authorization": f"Bearer {known}"}
    return httpx2.get(parts.apis[number].url, headers=headers, timeout=20.0, trust_env=False).status_code


def becomes(what: Callable[[], object], wanted: object, *, seconds: float = 30.0) -> None:
    """Ask until the answer is the one that is wanted. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while (seen := what()) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"still {seen} and not {wanted} after {seconds:.0f} s")
        time.sleep(0.02)


def test_what_is_revoked_at_one_node_is_refused_at_every_api(parts: Cluster) -> None:
    known = token(parts)
    assert [call(parts, known, number) for number in (0, 1)] == [200, 200]
    revoke(parts, known, 2)
    for number in (0, 1):
        becomes(partial(call, parts, known, number), 401)


def test_when_a_node_is_killed_the_others_serve_and_apis_follow_one_of_them(parts: Cluster) -> None:
    parts.nodes[0].kill()
    becomes(lambda: ask(parts), 200)
    known = parts.nodes[1].served.token()
    revoke(parts, known, 1)
    for number in (0, 1):
        becomes(partial(call, parts, known, number), 401)
    parts.nodes[0].start()
    assert ask(parts, 0) == 200


def test_a_node_that_stood_still_admits_nothing_that_was_used_or_revoked_meanwhile(parts: Cluster) -> None:
    used, known = parts.served.assertion(), token(parts)
    parts.nodes[1].pause()
    assert parts.served.ask("/token", parts.served.form(used)).status_code == 200
    revoke(parts, known, 0)
    becomes(lambda: ask(parts), 200)
    parts.nodes[1].resume()
    with parts.nodes[1].served.http() as http:
        assert http.post("/token", data=parts.served.form(used)).status_code == 401
        assert parts.served.introspect(http, known) == {"active": False}


def test_a_node_whose_clock_is_wrong_is_not_ready_and_refuses_everything(parts: Cluster) -> None:
    node = parts.nodes[2]
    node.set_clock(CLOCK_OFF)
    becomes(lambda: ask(parts, 2), 503)
    assert not node.is_ready()
    assert ask(parts, 0) == 200
    assert node.process is not None
    process = node.process
    assert "s ahead of the database's" in process.output
    node.set_clock(-CLOCK_OFF)
    becomes(lambda: "s behind the database's" in process.output, True)
    assert ask(parts, 2) == 503
    node.set_clock(0.0)
    becomes(lambda: ask(parts, 2), 200)


def test_a_node_whose_clock_is_wrong_does_not_start(parts: Cluster) -> None:
    node = parts.nodes[2]
    node.stop()
    node.set_clock(CLOCK_OFF)
    process = node.served.start(node.environment())
    assert process.wait(seconds=60.0) == UNAVAILABLE
    assert "300 s ahead of the database's; have both follow a time server" in process.output
    node.start()
    assert ask(parts, 2) == 200


def test_a_node_that_is_cut_off_from_the_database_refuses_in_time_and_serves_again(parts: Cluster) -> None:
    node = parts.nodes[0]
    node.database.silent()
    assert ask(parts, 0) == 503
    assert not node.is_ready()
    assert ask(parts, 1) == 200
    node.database.fair()
    becomes(lambda: ask(parts, 0), 200)


def test_a_slow_database_slows_and_loses_nothing(parts: Cluster) -> None:
    for node in parts.nodes:
        node.database.slow(0.02)
    known = token(parts)
    revoke(parts, known, 1)
    for node in parts.nodes:
        node.database.fair()
    for number in (0, 1):
        becomes(partial(call, parts, known, number), 401)


def test_an_api_that_is_cut_off_from_the_feed_refuses_when_what_it_knows_is_too_old(parts: Cluster) -> None:
    known = token(parts)
    becomes(lambda: call(parts, known), 200)
    parts.apis[0].feed.silent()
    becomes(lambda: call(parts, known), 503, seconds=MAX_STALENESS + 5)
    assert call(parts, known, 1) == 200
    parts.apis[0].feed.fair()
    becomes(lambda: call(parts, known), 200)


def test_a_database_that_crashes_and_recovers_has_everything_that_was_answered(parts: Cluster) -> None:
    used = parts.served.assertion()
    assert parts.served.ask("/token", parts.served.form(used)).status_code == 200
    parts.primary.crash()
    assert ask(parts, 0) == 503
    parts.primary.start()
    becomes(lambda: ask(parts, 0), 200)
    assert parts.served.ask("/token", parts.served.form(used)).status_code == 401


def test_a_synchronous_standby_that_takes_over_has_everything_that_was_answered(parts: Cluster) -> None:
    used, known = parts.served.assertion(), token(parts)
    assert parts.served.ask("/token", parts.served.form(used)).status_code == 200
    revoke(parts, known, 0)
    parts.fail_over()
    for number in range(3):
        becomes(partial(ask, parts, number), 200)
    assert parts.served.ask("/token", parts.served.form(used)).status_code == 401
    with parts.served.http() as http:
        assert parts.served.introspect(http, known) == {"active": False}
    fresh = token(parts)
    becomes(lambda: call(parts, fresh), 200)
    revoke(parts, fresh, 1)
    becomes(lambda: call(parts, fresh), 401)
