"""A restore cuts the log: what was sealed after the backup is gone, and the file of heads knows it.

So `ostiary restore` signs a line in the file of heads: with which segment the restored log ends, what the last head
before it was, and how much is missing. Verification goes on from there and names the cut each time, as no finding but
never in silence; the heads of what is missing stay in the file as evidence. That line is believed because it stands
outside the database and is signed by an audit key: whoever can only write the database, an event that tells of a
restore included, cannot make it, and whoever can only write the file cannot sign it. It names the line before it, so
that it cannot be copied to another place. Whoever has both the file and the key-encryption key can cut the log in this
way; then the cut stands there, with its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from ostiary.audit import chain
from ostiary.audit import head as heads
from ostiary.audit.checkpoint import SETTING
from ostiary.audit.export import HeadsFile
from ostiary.audit.head import Head
from ostiary.errors import ConfigurationError
from ostiary.key_management.base import Signer
from ostiary.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Cut:
    """after: the last segment that stays; lost: how many exported segments go, with so many rows."""

    after: int
    lost: int = 0
    rows: int = 0


async def record(storage: Storage, file: HeadsFile, key: Signer, *, at: int) -> Cut:
    """Sign into ``file`` where the restored log in ``storage`` ends, if the file knows more; what is cut off.

    Raises ConfigurationError: the file is of another log, or tells the last segment otherwise.
    """
    async with storage.read() as work:
        installation = await work.setting("installation_id") or ""
        last = await work.audit.last_segment()
        checkpoint = await work.setting(SETTING)
    end = last.segment if last else 0
    head = heads.text(last.head if last else chain.beginning(installation))
    if last is None and checkpoint is not None:
        folded = heads.unverified(checkpoint)
        end, head = folded.segment, folded.head
    exported = {one.segment: one for one in await asyncio.to_thread(lambda: list(file.heads()))}
    newest = await asyncio.to_thread(file.last)
    if newest is None:
        return Cut(end)
    _check(exported, end, head, installation, file)
    lost = [one for segment, one in exported.items() if segment > end]
    if not lost:
        return Cut(end)
    rows = sum(one.rows for one in lost)
    token = heads.sign(Head(installation, end, rows, newest.head, head, {}, at), key, typ=heads.RESTORE_TYP)
    await asyncio.to_thread(file.append_restore, token)
    return Cut(end, len(lost), rows)


def _check(exported: Mapping[int, Head], end: int, head: str, installation: str, file: HeadsFile) -> None:
    foreign = any(one.installation != installation for one in exported.values())
    known = exported.get(end)
    if foreign or (known is not None and known.head != head):
        raise ConfigurationError(
            f"The file of audit heads {file.path} tells another story than the backup: it is of another installation,"
            " or the backup was made after a restore that the file does not know. Name the right one in"
            " audit.heads_file, or move this one aside."
        )
