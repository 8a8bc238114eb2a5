"""A world in which much hangs on one user and one client; what an act leaves of it; and faults in the middle of one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from msgspec import structs

from ostiary.model.certificate import Certificate, proved_by_certificate, proved_by_client
from ostiary.model.grant import Grant
from ostiary.model.session import Session
from ostiary.model.token import AccessToken
from ostiary.model.user import User
from ostiary.revocation import Act
from ostiary.storage.base import UnitOfWork
from tests.admin.people import grant_of, session_of
from tests.authorization_server.world import NOW, ORDERS, World, signing_key

ACT = Act("admin:boss", NOW, "stolen", personal={"address": "192.0.2.9"})
ADA = "usr_ada"
PAIRWISE = "ada-as-diary-knows-her"
KEY = signing_key("shop-1").verification_key.thumbprint


def fill(world: World) -> None:
    """Ada has two sessions; ``shop`` and ``diary`` have grants of hers, ``diary`` by a pairwise name; certificates."""
    world.add_client("diary")
    child = world.add_key("shop", "child", parent=KEY)
    world.add_key("shop", "sibling")

    async def put(work: UnitOfWork) -> None:
        await work.users.add(User(ADA, "ada", "ada", "active", "", False, {}, int(NOW), int(NOW)))
        for name in ("ses_1", "ses_2"):
            await work.sessions.add(_session(name))
        await work.grants.add(_grant("gr_online", "shop", "ses_1"))
        await work.grants.add(_grant("gr_offline", "shop", "ses_1", "offline_access"))
        await work.grants.add(_grant("gr_hers", "diary", "ses_2", subject=PAIRWISE))
        await work.certificates.add(certificate("a1", proof="operator"))
        await work.certificates.add(certificate("a2", proof=proved_by_certificate("a1")))
        await work.certificates.add(certificate("a3", proof=proved_by_client(child.thumbprint)))
        for token in TOKENS.values():
            await work.tokens.add(token)

    world.write(put)


def _session(session_id: str) -> Session:
    return session_of(ADA, session_id, NOW)


def _grant(grant_id: str, client_id: str, session_id: str, *scopes: str, subject: str = ADA) -> Grant:
    given = grant_of(ADA, grant_id, client_id, NOW, session_id=session_id, subject=subject)
    return replace(given, scopes={**given.scopes, "": scopes})


def certificate(serial: str, *, proof: str, client_id: str = "shop") -> Certificate:
    """Of the client ``shop``; its thumbprints are made of its serial."""
    return Certificate(
        serial=serial,
        authority_id="ca",
        profile="client",
        owner="team",
        client_id=client_id,
        identities=(),
        thumbprint=f"x5t-{serial}",
        key_thumbprint=f"spki-{serial}",
        certificate=b"",
        proof=proof,
        not_before=int(NOW),
        not_after=int(NOW) + 86_400,
        issued_at=int(NOW),
        expires_at=int(NOW) + 172_800,
    )


def token(jti: str, client_id: str = "shop", **changes: Any) -> AccessToken:
    """Of the client itself, obtained by the key ``shop-1``."""
    made = AccessToken(
        jti=jti,
        format="self-contained",
        digest=None,
        client_id=client_id,
        subject=client_id,
        grant_id=f"gr_{client_id}",
        audience=ORDERS,
        scope="orders:read",
        key_thumbprint=KEY,
        signing_kid="signer",
        rev=0,
        issued_at=int(NOW),
        expires_at=int(NOW) + 600,
    )
    return structs.replace(made, **changes)


_HERS = {"subject": ADA, "key_thumbprint": ""}
TOKENS = {
    "own": token("own"),
    "by_child": token("by_child", key_thumbprint=signing_key("child").verification_key.thumbprint),
    "by_sibling": token("by_sibling", key_thumbprint=signing_key("sibling").verification_key.thumbprint),
    "by_certificate": token("by_certificate", key_thumbprint="x5t-a1"),
    "by_successor": token("by_successor", key_thumbprint="x5t-a2"),
    "online": token("online", grant_id="gr_online", session_id="ses_1", **_HERS),
    "offline": token("offline", grant_id="gr_offline", **_HERS),
    "diary": token("diary", "diary", grant_id="gr_hers", session_id="ses_2", subject=PAIRWISE, key_thumbprint="x"),
    "of_diary_itself": token("of_diary_itself", "diary", key_thumbprint="x"),
}


def rows(world: World) -> list[tuple[str, str]]:
    """The log."""
    return [(row.kind, row.value) for row in world.read(lambda work: work.revocations.since(0))]


def ended_tokens(world: World) -> set[str]:
    """Which tokens the log has ended."""

    async def look(work: UnitOfWork) -> set[str]:
        return {name for name, one in TOKENS.items() if await work.revocations.ends(one) is not None}

    found: set[str] = world.read(look)
    return found


def dump(world: World) -> list[str]:
    """Everything that is in the database."""
    connection = sqlite3.connect(world.folder / "ostiary.db")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@contextmanager
def failing(world: World, table: str, after: int) -> Iterator[None]:
    """The database refuses the row of ``table`` that comes after so many others."""
    connection = sqlite3.connect(world.folder / "ostiary.db", isolation_level=None)
    count = f"(SELECT count(*) FROM {table}) >= {after}"  # noqa: S608 - a test names its own table
    connection.execute(
        f"CREATE TRIGGER fault BEFORE INSERT ON {table} WHEN {count} BEGIN SELECT RAISE(ABORT, 'a fault'); END"
    )
    try:
        yield
    finally:
        connection.execute("DROP TRIGGER fault")
        connection.close()
