"""Restores an installation from a backup, and begins a new epoch of it: what was issued before is refused.

The backup is read twice: first whole, to know that it is sound and that the key-encryption key fits, before anything is
touched; then into the database, which nothing opens until the last transaction of the restore. A restore that is killed
leaves a database that refuses to be served and can be restored again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ostiary.audit import restoration, tags
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import Head
from ostiary.audit.restoration import Cut
from ostiary.audit.sealer import AUDIT_ALG
from ostiary.authorization_server.signing_keys import SigningKeys
from ostiary.backup.databases import database
from ostiary.backup.file import Contents, Header, Progress, Reader, sealing, verify
from ostiary.backup.filled import compare, fill
from ostiary.backup.place import make_room
from ostiary.backup.shape import Shape
from ostiary.errors import ConfigurationError
from ostiary.key_management.base import KeyManagement
from ostiary.model.revocation import EPOCH, epoch_at
from ostiary.revocation.act import Act
from ostiary.revocation.installation import EpochEnded, raise_epoch
from ostiary.settings import Settings
from ostiary.storage.filling import begin_filling
from ostiary.storage.migrate import HEAD, UNFINISHED, current, upgrade
from ostiary.storage.open import storage_for

COMMAND = "restore"
_COUNTERS = Shape("counters", [("tenant", "text"), ("name", "text"), ("value", "whole")])


@dataclass(frozen=True, slots=True)
class Restored:
    """contents: of the backup; ended: what the new epoch ended; cut: of the audit log, None without a file of heads;
    kept: where the SQLite file that was replaced is."""

    contents: Contents
    ended: EpochEnded
    cut: Cut | None
    kept: Path | None


def restore(
    settings: Settings,
    path: Path,
    keys: KeyManagement,
    *,
    replace: bool = False,
    clock: Callable[[], float],
    progress: Progress,
) -> Restored:
    """Fill the database of ``settings`` from the backup ``path``.

    Raises ConfigurationError (the backup, the key-encryption key, a database that is not empty or is being served) and
    Unavailable.
    """
    _, unseal = sealing(keys.wrap_secret, keys.unwrap_secret)
    contents = verify(path, unseal, lambda table, rows: progress(f"checking {table}", rows))
    header, url = contents.header, settings.storage.url
    if header.schema > HEAD:
        raise ConfigurationError(
            f"The backup has schema {header.schema}, newer than {HEAD}: install Ostiary {header.version} to restore it."
        )
    newest = _check_heads(settings, header)
    _check_clock(clock(), header, newest, url)
    kept = make_room(url, replace=replace, now=clock())
    begin_filling(url, COMMAND, schema=header.schema)
    _load(url, path, contents, progress)
    upgrade(url)
    ended, cut = asyncio.run(_finish(settings, header, contents.end.sha256, keys, clock))
    return Restored(contents, ended, cut, kept)


def _check_heads(settings: Settings, header: Header) -> Head | None:
    """The newest head in the file. Before anything is touched; what needs the restored log is looked at in the end."""
    heads = settings.audit.heads_file
    newest = HeadsFile(heads).last() if heads is not None else None
    if newest is not None and newest.installation != header.installation:
        raise ConfigurationError(
            f"The file of audit heads {heads} is of another installation: name that of the backup, or move it aside."
        )
    return newest


def _check_clock(now: float, header: Header, newest: Head | None, url: str) -> None:
    """Epochs are numbered by the clock, so it must not stand before anything that the installation has done: an epoch
    below an earlier one would admit what was issued in that."""
    if now < header.made_at:
        raise ConfigurationError("The clock of this machine stands before the time of the backup: set it first.")
    if newest is not None and now < newest.at:
        raise ConfigurationError("The clock of this machine stands before the newest audit head: set it first.")
    if epoch_at(int(now)) <= _epoch_there(url):
        raise ConfigurationError(
            "The clock of this machine stands before the last restore of the database that is to be replaced: set it"
            " first."
        )


def _epoch_there(url: str) -> int:
    """The epoch of the database that is there, 0 without one."""
    if current(url) is None:
        return 0
    with database(url).view() as view:
        return max((row[2] for row in view.rows(_COUNTERS) if row[1] == "revocation"), default=0) // EPOCH


def _load(url: str, path: Path, contents: Contents, progress: Progress) -> None:
    target, reader = database(url), Reader(path)
    with reader.opened() as header:
        fill(target, header.tables, lambda shape: reader.rows(shape, progress))
        if (header, reader.end(None)) != (contents.header, contents.end):
            raise ConfigurationError(f"{path} was changed while it was read: run the restore again.")
    expected = {name: (end.rows, end.sum) for name, end in contents.tables.items()}
    compare(target, header.tables, expected, lambda table, rows: progress(f"comparing {table}", rows))


async def _finish(
    settings: Settings, header: Header, sha256: str, keys: KeyManagement, clock: Callable[[], float]
) -> tuple[EpochEnded, Cut | None]:
    """The last transaction, before which nothing opens the database; the file of heads goes first, so that a crash in
    between is mended by the next try."""
    storage = storage_for(settings.storage.url)
    await storage.open(filling=True)
    try:
        signing_keys = SigningKeys(storage, keys, settings, clock)
        await signing_keys.ensure(actor="cli")
        heads = settings.audit.heads_file
        now = clock()
        cut = None
        if heads is not None:
            key = signing_keys.current(AUDIT_ALG, "audit")
            cut = await restoration.record(storage, HeadsFile(heads), key, at=int(now))
        act = Act("cli", now, "restored from a backup")
        made_at = datetime.fromtimestamp(header.made_at, UTC).isoformat()
        details = {"made_at": made_at, "version": header.version, "sha256": sha256, "schema": header.schema}
        if cut is not None:
            details |= {"log_goes_on_after": str(cut.after), "segments_lost": str(cut.lost), "rows_lost": str(cut.rows)}
        async with storage.write() as work:
            ended = await raise_epoch(work, act)
            await work.audit.append(act.event(tags.INSTALLATION_RESTORED, header.installation, **details))
            await work.set_setting(UNFINISHED, "")
    finally:
        await storage.close()
    return ended, cut
