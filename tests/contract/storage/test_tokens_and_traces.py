"""Access tokens of both kinds, traces, and the batched expiry of every table that has an end."""

from __future__ import annotations

import pytest

from ostiary.model.revocation import KEPT_BEYOND_ITS_END
from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.storage.base import Storage
from tests.contract.storage.examples import NOW, artifact, client, client_key, event, revocation, token, trace

pytestmark = pytest.mark.anyio

SELF_CONTAINED = token("0001", claims='{"a":1}', certificate_thumbprint="x5t")
REFERENCE = token("0002", format="reference", digest=b"d" * 32, signing_kid=None)


async def test_both_kinds_of_token_are_found_by_their_jti(storage: Storage) -> None:
    async with storage.write() as work:
        await work.tokens.add(SELF_CONTAINED)
        await work.tokens.add(REFERENCE)
    async with storage.read() as work:
        assert await work.tokens.by_jti("0001") == SELF_CONTAINED
        assert await work.tokens.by_jti("0002") == REFERENCE
        assert await work.tokens.by_jti("0003") is None


async def test_a_reference_token_is_found_by_its_digest_alone(storage: Storage) -> None:
    async with storage.write() as work:
        await work.tokens.add(SELF_CONTAINED)
        await work.tokens.add(REFERENCE)
        assert await work.tokens.by_digest(b"d" * 32) == REFERENCE
        assert await work.tokens.by_digest(b"d" * 31) is None
        assert await work.tokens.by_digest(b"") is None


async def test_a_clients_live_tokens_are_listed_in_pages(storage: Storage) -> None:
    async with storage.write() as work:
        for number in range(5):
            await work.tokens.add(token(f"{number}", expires_at=NOW + number))
        await work.tokens.add(token("9", client_id="other"))
        assert [row.jti for row in await work.tokens.of_client("billing", now=NOW + 1)] == ["2", "3", "4"]
        assert [row.jti for row in await work.tokens.of_client("billing", now=NOW, after="1", limit=2)] == ["2", "3"]
        assert [await work.tokens.count_of_client("billing", now=NOW + 1, most=most) for most in (2, 9)] == [2, 3]
        assert await work.tokens.count_of_client("nobody", now=0, most=9) == 0


async def test_a_trace_is_found_by_its_id_with_its_source(storage: Storage) -> None:
    async with storage.write() as work:
        await work.traces.add(trace(), expires_at=NOW + 60, source="api_orders")
        assert await work.traces.get("tr_one") == (trace(), "api_orders")
        assert await work.traces.get("tr_two") is None


async def test_whatever_has_ended_is_deleted_and_whatever_has_not_stays(storage: Storage) -> None:
    async with storage.write() as work:
        for name, end in (("ended", NOW), ("live", NOW + 1)):
            await work.tokens.add(token(name, expires_at=end - TAKEN_BEYOND_ITS_END))
            await work.traces.add(trace(f"tr_{name}"), expires_at=end, source="server")
            await work.artifacts.add(artifact(name.encode(), expires_at=end))
            await work.revocations.append(revocation("jti", name, expires_at=end - KEPT_BEYOND_ITS_END))
        await work.clients.add(client())
        await work.client_keys.add(client_key(expires_at=NOW))
        await work.audit.append(event(at=0))
    assert await storage.expire(NOW) == 4
    assert await storage.expire(NOW) == 0
    async with storage.read() as work:
        assert [row.jti for row in await work.tokens.of_client("billing", now=0)] == ["live"]
        assert await work.traces.get("tr_ended") is None
        assert await work.traces.get("tr_live") is not None
        assert await work.artifacts.get("bootstrap", b"ended") is None
        assert await work.artifacts.get("bootstrap", b"live") is not None
        assert [row.value for row in await work.revocations.since(0)] == ["live"]
        assert await work.client_keys.by_thumbprint("thumb-1") == client_key(expires_at=NOW)
        assert len(await work.audit.unsealed(10)) == 1


async def test_expiry_of_the_log_gives_no_position_twice(storage: Storage) -> None:
    for _ in range(2):
        async with storage.write() as work:
            await work.revocations.append(revocation(expires_at=NOW - KEPT_BEYOND_ITS_END))
        assert await storage.expire(NOW) == 1
    assert (await storage.positions()).revocation == 2


async def test_expiry_takes_no_more_than_a_batch_over_all_tables(storage: Storage) -> None:
    async with storage.write() as work:
        for number in range(7):
            await work.tokens.add(token(f"{number}", expires_at=NOW - TAKEN_BEYOND_ITS_END))
            await work.traces.add(trace(f"tr_{number}"), expires_at=NOW, source="server")
    assert [await storage.expire(NOW, batch=4) for _ in range(5)] == [4, 4, 4, 2, 0]
