"""What a built installation does by itself, by the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ostiary.app import Installation, installation
from ostiary.audit import head as heads
from ostiary.audit import tags
from ostiary.audit.export import HeadsFile
from ostiary.audit.verify import verify
from ostiary.certificate_authority import founding
from ostiary.certificate_authority.life import AuthorityLife
from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.key_management.key_encryption_key import create_key_encryption_key
from ostiary.model.audit_row import AuditRow
from ostiary.protocol import algorithms
from ostiary.revocation import Act
from ostiary.serving.prepare import prepare
from ostiary.settings import Settings
from tests.authorization_server.world import ISSUER, NOW, Clock

DAY = 86_400


def settings_in(folder: Path, **audit: Any) -> Settings:
    create_key_encryption_key(folder / "kek")
    return Settings.model_validate(
        {
            "issuer": ISSUER,
            "storage": {"url": f"sqlite:///{folder / 'ostiary.db'}"},
            "keys": {"key_encryption_key_file": str(folder / "kek")},
            "audit": audit,
        }
    )


def within(settings: Settings, clock: Clock, act: Callable[[Installation], Awaitable[None]]) -> None:
    async def scenario() -> None:
        await prepare(settings)
        async with installation(settings, clock=clock) as parts:
            await act(parts)

    asyncio.run(scenario())


async def rows(parts: Installation, tag: str) -> list[AuditRow]:
    async with parts.storage.read() as work:
        return await work.audit.query(tag=tag)


@pytest.mark.parametrize(("days", "left"), [(2, 0), (4, 1), (None, 1)])
def test_sealed_rows_are_dropped_after_their_time(tmp_path: Path, days: int | None, left: int) -> None:
    """``audit.retention_days`` is kept by the server itself; without it nothing is ever dropped."""
    clock = Clock()

    async def act(parts: Installation) -> None:
        await parts.record(tags.SERVER_STARTED, "all")
        await parts.sealer.seal_all()
        clock.now = NOW + 3 * DAY
        [chore] = [chore for chore in parts.house_chores() if chore.name == "audit-retention"]
        await chore.run()
        assert len(await rows(parts, tags.SERVER_STARTED)) == left
        assert len(await rows(parts, tags.AUDIT_DROPPED)) == 1 - left

    within(settings_in(tmp_path, retention_days=days), clock, act)


def test_the_server_folds_what_it_dropped_with_its_own_keys_and_the_log_verifies(tmp_path: Path) -> None:
    """Table and file begin with a signed checkpoint then."""
    clock, heads_file = Clock(), tmp_path / "heads"

    async def act(parts: Installation) -> None:
        [chore] = [chore for chore in parts.house_chores() if chore.name == "audit-retention"]
        for day in range(6):
            clock.now = NOW + day * DAY
            await parts.record(tags.SERVER_STARTED, "all")
            await parts.sealer.seal_all()
            await chore.run()
            await parts.sealer.seal_all()
        report = await verify(parts.storage, HeadsFile(heads_file), clock=clock)
        assert report.good, report.findings
        assert (report.dropped, report.vouched_from) == (3, 4)
        assert heads.is_checkpoint(heads_file.read_text().splitlines()[0])
        async with parts.storage.read() as work:
            assert (await work.audit.segments())[0].segment == 4

    within(settings_in(tmp_path, retention_days=2, heads_file=str(heads_file)), clock, act)


def test_start_and_stop_are_audited_with_the_version(tmp_path: Path) -> None:
    async def act(parts: Installation) -> None:
        await parts.record(tags.SERVER_STARTED, "all")
        [row] = await rows(parts, tags.SERVER_STARTED)
        assert (row.actor, row.target, list(row.details)) == ("server", "all", ["version"])

    within(settings_in(tmp_path), Clock(), act)


def test_the_house_keeps_the_revocation_lists_of_the_ca(tmp_path: Path) -> None:
    async def act(parts: Installation) -> None:
        [chore] = [chore for chore in parts.house_chores() if chore.name == "revocation-lists"]
        assert chore.interval <= 1.0
        root = founding.new_root("Example", algorithms.generate("ES256"), "ES256", NOW)
        life = AuthorityLife(parts.server.authorities, parts.key_management)
        made = await life.add_issuing(root, "Example", "ES256", NameConstraints(), Act("cli", NOW))
        await chore.run()
        async with parts.storage.read() as work:
            assert await work.revocation_lists.get(made.authority_id) is not None

    within(settings_in(tmp_path), Clock(), act)
