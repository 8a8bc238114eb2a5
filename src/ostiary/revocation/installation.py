"""Ends everything that the installation issued until now, by beginning a new epoch of it.

For a database that lost its end: one restored from a backup, or one whose writes a fail-over lost. What was revoked or
used up after that moment is unknown, so nothing that could have been is good any more. Positions of the revocation log
belong to an epoch (``model.revocation.EPOCH``), and every token carries the position that stood before it was issued.
So the lost positions are given to nobody a second time, and clocks decide about no token.

Used proofs (assertions, nonces, challenges) bear no position; their marks are lost for good. So ``replay`` refuses what
may have been used before this act, until whatever is presented must have been made after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ostiary.audit import tags
from ostiary.model.revocation import EPOCH
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork


@dataclass(frozen=True, slots=True)
class EpochEnded:
    """What a new epoch ended beside all access tokens. epoch: its number; the others: how many there were."""

    epoch: int
    grants: int
    sessions: int
    artifacts: int


async def raise_epoch(work: UnitOfWork, act: Act) -> EpochEnded:
    """Begin a new epoch: every access token ends, and with it every session, every grant of a user with its refresh
    tokens, and every code, link and enrolment token.

    Registrations stay: clients with their keys and standing grants, users with their factors and what they allowed,
    APIs, keys, authorities and certificates. What was changed of those after the loss has to be done again.
    """
    # What is being issued now is either committed, and ended here, or decided anew after this commit.
    await work.positions(changing=True)
    now = int(act.now)
    await work.replay.lost_before(now)
    grants = await work.grants.end_of_all_users(now)
    sessions = await work.sessions.end_all(now)
    artifacts = await work.artifacts.consume_all(now=now)
    await work.revocations.append(act.row("installation", ""))
    ended = EpochEnded((await work.positions()).revocation // EPOCH, grants, sessions, artifacts)
    installation = await work.setting("installation_id") or ""
    counts = {"grants": str(grants), "sessions": str(sessions), "artifacts": str(artifacts)}
    told = act.event(tags.INSTALLATION_EPOCH_RAISED, installation, epoch=str(ended.epoch), **counts)
    await work.audit.append(told)
    return ended
