"""attack 34: what belongs to one tenant is neither seen nor touched nor blocked by another, in any repository."""

from __future__ import annotations

import pytest

from ostiary.model.audit_row import AuditSegment
from ostiary.storage.base import Storage
from ostiary.storage.schema import METADATA
from tests.contract.storage.examples import (
    NOW,
    api,
    artifact,
    client,
    client_key,
    event,
    grant,
    revocation,
    signing_key,
    token,
    trace,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("table", METADATA.tables.values(), ids=METADATA.tables)
def test_the_tenant_is_part_of_every_key_and_index(table: object) -> None:
    """attack 34."""
    keys = [table.primary_key, *table.indexes]  # type: ignore[attr-defined]
    assert [key.name for key in keys if "tenant" not in key.columns] == []


async def test_registrations_with_the_same_ids_live_side_by_side(storage: Storage) -> None:
    """attack 34: the same client, kid and key in both."""
    async with storage.write() as work:
        for tenant in ("default", "b"):
            await work.clients.add(client(owner=tenant, tenant=tenant))
            await work.client_keys.add(client_key(owner=tenant, tenant=tenant))
            await work.apis.add(api(owner=tenant, client_id="api_1", tenant=tenant))
            await work.grants.add(grant(subject=tenant, tenant=tenant))
            await work.signing_keys.add(signing_key(alg=tenant, tenant=tenant))
        await work.clients.replace(client(owner="changed", tenant="b"))
        await work.client_keys.set_state("thumb-1", "revoked", tenant="b")
        await work.client_keys.touch({"thumb-1": NOW}, tenant="b")
        await work.apis.replace(api(owner="changed", client_id="api_1", tenant="b"))
        await work.grants.end("g1", NOW, tenant="b")
        await work.signing_keys.replace(signing_key(alg="changed", tenant="b"))
    async with storage.read() as work:
        assert await work.clients.get("billing") == client(owner="default")
        assert [row.owner for row in await work.clients.list(tenant="b")] == ["changed"]
        assert await work.client_keys.get("billing", "kid-of-thumb-1") == client_key(owner="default")
        assert await work.client_keys.by_thumbprint("thumb-1") == client_key(owner="default")
        assert await work.client_keys.of_client("billing") == [client_key(owner="default")]
        assert await work.apis.get("https://orders.example") == api(owner="default", client_id="api_1")
        assert [row.owner for row in await work.apis.by_client("api_1")] == ["default"]
        assert [row.owner for row in await work.apis.list()] == ["default"]
        assert await work.grants.get("g1") == grant(subject="default")
        assert await work.signing_keys.list() == [signing_key(alg="default")]


async def test_nothing_of_another_tenant_is_found(storage: Storage) -> None:
    """attack 34: every lookup, with the ids of another tenant."""
    async with storage.write() as work:
        await work.clients.add(client(tenant="b"))
        await work.client_keys.add(client_key(tenant="b"))
        await work.client_keys.add(client_key("child", parent="thumb-1", tenant="b"))
        await work.apis.add(api(client_id="api_1", tenant="b"))
        await work.grants.add(grant(tenant="b"))
        await work.tokens.add(token(digest=b"d", tenant="b"))
        await work.signing_keys.add(signing_key(tenant="b"))
        await work.revocations.append(revocation(tenant="b"))
        await work.audit.append(event(tenant="b"))
        await work.traces.add(trace(), expires_at=NOW, source="server", tenant="b")
        await work.artifacts.add(artifact(tenant="b"))
        (row,) = await work.audit.unsealed(1, tenant="b")
        await work.audit.seal(AuditSegment(1, 1, b"", b"", "", NOW, tenant="b"), [(row.writer, row.number)])
        assert [
            await work.clients.get("billing"),
            await work.client_keys.get("billing", "kid-of-thumb-1"),
            await work.client_keys.by_thumbprint("thumb-1"),
            await work.apis.get("https://orders.example"),
            await work.grants.get("g1"),
            await work.tokens.by_jti("0001-a"),
            await work.tokens.by_digest(b"d"),
            await work.revocations.ends(token()),
            await work.traces.get("tr_one"),
            await work.artifacts.get("bootstrap", b"d" * 32),
            await work.artifacts.consume("bootstrap", b"d" * 32, now=NOW),
            await work.audit.last_segment(),
            await work.audit.get(row.writer, row.number),
        ] == [None] * 13
        assert [
            await work.clients.list(),
            await work.client_keys.of_client("billing"),
            await work.client_keys.descendants("thumb-1"),
            await work.apis.list(),
            await work.apis.by_client("api_1"),
            await work.tokens.of_client("billing", now=NOW),
            await work.signing_keys.list(),
            await work.revocations.since(0),
            await work.audit.unsealed(10),
            await work.audit.query(),
            await work.audit.segments(),
            await work.audit.rows_of(1),
            await work.audit.writers(),
        ] == [[]] * 13
        assert not await work.grants.end("g1", NOW)
        assert not await work.client_keys.set_state("thumb-1", "revoked")
        assert not await work.audit.erase_personal(row.writer, row.number)
        assert await work.audit.drop_rows(1, at=NOW) == 0
        assert len(await work.client_keys.descendants("thumb-1", tenant="b")) == 1
        assert await work.revocations.ends(token(tenant="b")) == revocation(position=1, tenant="b")


async def test_what_one_tenant_has_used_another_may_use(storage: Storage) -> None:
    async with storage.write() as work:
        for tenant in ("default", "b"):
            assert await work.replay.mark("billing", "j1", expires_at=NOW + 60, now=NOW, tenant=tenant)
            await work.tokens.add(token(digest=b"d", tenant=tenant))
            await work.artifacts.add(artifact(tenant=tenant))
            assert await work.artifacts.consume("bootstrap", b"d" * 32, now=NOW, tenant=tenant) is not None
            await work.traces.add(trace(), expires_at=NOW, source=tenant, tenant=tenant)


async def test_the_expiry_serves_every_tenant(storage: Storage) -> None:
    async with storage.write() as work:
        await work.artifacts.add(artifact(expires_at=NOW, tenant="b"))
    assert await storage.expire(NOW) == 1
