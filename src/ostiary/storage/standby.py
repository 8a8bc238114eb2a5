"""What a PostgreSQL may lose of what was answered: no durable commits, or a standby that takes over without the last.

https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from ostiary.storage.pool import translated

_LOST = (
    "what was answered in its last moments may be lost: revocations, used codes, refresh tokens and assertions, "
    "tokens, audit rows"
)
_MEND = (
    "set synchronous_standby_names to your standbys, such as 'ANY 1 (*)', and keep two of them so that one may be "
    "away; or, after such a failover, run `ostiary admin new-epoch`"
)


@dataclass(frozen=True, slots=True)
class Replication:
    """How a server commits. standbys: (name, sync_state); the state is None if this user may not see it."""

    fsync: bool = True
    synchronous_commit: str = "on"
    synchronous_standby_names: str = ""
    standbys: tuple[tuple[str, str | None], ...] = ()


def durability_warnings(url: str) -> list[str]:
    """One sentence for each way in which the database at ``url`` may lose what was answered. Raises Unavailable."""
    return warnings_of(_look(url))


def warnings_of(seen: Replication) -> list[str]:
    """One sentence for each way in which such a server may lose what was answered, with the mend."""
    found: list[str] = []
    if not seen.fsync:
        found.append(f"PostgreSQL runs with fsync = off: if its machine crashes, {_LOST}: set fsync = on.")
    loose = [name for name, state in seen.standbys if state == "async"]
    if seen.standbys and not seen.synchronous_standby_names:
        loose = [name for name, _ in seen.standbys]
    if loose:
        named = ", ".join(sorted(set(loose)))
        found.append(f"PostgreSQL has an asynchronous standby ({named}). If it takes over, {_LOST}: {_MEND}.")
    elif seen.synchronous_standby_names and seen.synchronous_commit == "local":
        found.append(
            f"PostgreSQL waits for no standby (synchronous_commit = local). If one takes over, {_LOST}: "
            "set synchronous_commit = on for this database and its user."
        )
    return found


def _look(url: str) -> Replication:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            names = ("fsync", "synchronous_commit", "synchronous_standby_names")
            fsync, commit, standby_names = (
                str((connection.execute("SELECT current_setting(%s)", [name]).fetchone() or ("",))[0]) for name in names
            )
            # One who takes a copy is no standby. What this user may not see is NULL.
            standbys = connection.execute(
                "SELECT application_name, sync_state FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup'"
            ).fetchall()
    except psycopg.Error as error:
        raise translated(error) from error
    seen = tuple((str(name or "unnamed"), None if state is None else str(state)) for name, state in standbys)
    return Replication(fsync == "on", commit, standby_names, seen)
