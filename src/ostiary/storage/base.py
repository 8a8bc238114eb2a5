"""The contract of storage: what every adapter does, and what the suite in ``tests/contract`` proves of it.

A unit of work is its caller's part of a transaction that many callers may share (group commit). Leaving the block
waits until the transaction is durable, so what was answered survives ``kill -9``.

    async with storage.write() as work:      # raises Unavailable when the database is busy or gone
        await work.replay.mark(...)          # atomic: check and mark
        await work.tokens.add(token)
        await work.audit.append(event)

A refusal is a write too: an ``OAuthError`` or ``VerificationError`` that leaves the block commits what was written
before it and is raised on. Any other exception is a fault and rolls this caller's part back, and only this one's.
Inside the block nothing but the unit of work may be awaited: the block holds the transaction.

``Contended`` says that the database undid a unit of work in favour of another's. The block cannot be run again from
here, as its body is the caller's; a caller that can do the whole of it again does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from ostiary.errors import Unavailable
from ostiary.model.artifact import OneTimeArtifact
from ostiary.model.audit_row import AuditRow, AuditSegment
from ostiary.model.event import AuditEvent
from ostiary.model.revocation import Revocation
from ostiary.model.signing_key import InstallationKey, SigningKeyUse
from ostiary.model.tenant import TENANT
from ostiary.model.token import AccessToken
from ostiary.storage.acme_repositories import AcmeAccounts, AcmeCredentials, AcmeOrders
from ostiary.storage.certificate_repositories import Authorities, Certificates, RevocationLists
from ostiary.storage.feed_repositories import FeedReaders
from ostiary.storage.registry_repositories import Apis, ClientKeys, Clients, Grants
from ostiary.storage.signal_repositories import ReceivedSignals, SignalEvents, SignalStreams
from ostiary.storage.status_list_repository import StatusLists
from ostiary.storage.user_repositories import (
    Consents,
    Deliveries,
    Factors,
    FailedAttempts,
    RefreshTokens,
    Sessions,
    Users,
)
from ostiary.trace import TraceRecord

__all__ = [
    "TENANT",
    "AcmeAccounts",
    "AcmeCredentials",
    "AcmeOrders",
    "Apis",
    "Artifacts",
    "Audit",
    "Authorities",
    "Certificates",
    "ClientKeys",
    "Clients",
    "Consents",
    "Contended",
    "Deliveries",
    "Factors",
    "FailedAttempts",
    "FeedReaders",
    "Grants",
    "InstallationKeys",
    "MarksLost",
    "Positions",
    "ReceivedSignals",
    "RefreshTokens",
    "Replay",
    "RevocationLists",
    "Revocations",
    "Sessions",
    "SignalEvents",
    "SignalStreams",
    "StatusLists",
    "Storage",
    "Tokens",
    "Traces",
    "Unanswered",
    "UnitOfWork",
    "Users",
]


class Unanswered(Unavailable):
    """The database did not answer in time; whoever asks again waits as long once more."""


class Contended(Unavailable):
    """A deadlock or a serialization failure (SQLSTATE 40P01, 40001): nothing was written, and a new try may succeed."""


class MarksLost(Unavailable):
    """What is presented may have been used before a restore, which lost the mark of it; one made later will do."""

    def __init__(self, wait: int) -> None:
        """wait: seconds after which one of the same kind and life is taken."""
        detail = "what may have been used before the restore is refused, since nobody remembers it"
        public = "the server was restored from a backup: make a new proof after the time in Retry-After"
        super().__init__("the memory of used proofs", detail, retry_after=max(1, wait), public=public)


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the database stands.

    registry: rises with every committed change of clients, keys, APIs, their grants or signing keys; not of users.
    revocation: the highest position of the revocation log, 0 when it is empty; the epoch that it is in is part of it.
    """

    registry: int
    revocation: int


class Tokens(Protocol):
    async def add(self, token: AccessToken) -> None: ...
    async def by_jti(self, jti: str, *, tenant: str = TENANT) -> AccessToken | None: ...
    async def by_digest(self, digest: bytes, *, tenant: str = TENANT) -> AccessToken | None: ...
    async def of_client(
        self, client_id: str, *, now: int, after: str = "", limit: int = 100, tenant: str = TENANT
    ) -> list[AccessToken]: ...
    async def count_of_client(self, client_id: str, *, now: int, most: int, tenant: str = TENANT) -> int:
        """How many of the client's tokens have not expired, ``most`` for so many and more."""
        ...


class Replay(Protocol):
    async def mark(
        self,
        issuer: str,
        jti: str,
        *,
        expires_at: int,
        now: int,
        usable_from: int | None = None,
        tenant: str = TENANT,
    ) -> bool:
        """Whether this is the first time; atomic; the same jti with another expiry is not the first time.

        expires_at: until when the mark must be kept, seconds since the epoch; at most one day after ``now``.
        usable_from: the earliest second in which it can have been accepted; default: a day before ``expires_at``.
        Raises MarksLost if that is not after ``lost_before``: it may have been used, and nobody remembers.
        """
        ...

    async def lost_before(self, at: int, *, tenant: str = TENANT) -> None:
        """Say that marks made before ``at`` (seconds) may be lost, as after a restore; it never goes back."""
        ...


class InstallationKeys(Protocol):
    """Every write raises the registry position."""

    async def list(self, use: SigningKeyUse | None = None, *, tenant: str = TENANT) -> list[InstallationKey]: ...
    async def add(self, key: InstallationKey) -> None: ...
    async def replace(self, key: InstallationKey) -> None: ...


class Revocations(Protocol):
    async def append(self, revocation: Revocation) -> None:
        """Write a row; its position is given by the last statements before the commit, in the order of commits."""
        ...

    async def position(self) -> int:
        """Of the last row that this unit of work has appended, 0 if it has not: for the end of it, because from here on
        nobody else can write to the log before this commit."""
        ...

    async def ends(self, token: AccessToken, *, key_thumbprints: Sequence[str] = ()) -> Revocation | None:
        """The row that ends this token, if any: its jti, or its client, subject, grant, session, signing key or client
        key (its own, its certificate or one of ``key_thumbprints``) at a position above ``token.rev``."""
        ...

    async def since(self, position: int, *, limit: int = 1000, tenant: str = TENANT) -> list[Revocation]: ...


class Audit(Protocol):
    async def append(self, event: AuditEvent) -> None:
        """Write an event under the next gapless number of this writer, in this unit of work."""
        ...

    async def get(self, writer: str, number: int, *, tenant: str = TENANT) -> AuditRow | None: ...
    async def unsealed(self, limit: int, *, tenant: str = TENANT) -> list[AuditRow]:
        """Rows without a segment, ordered by (at, writer, number)."""
        ...

    async def seal(self, segment: AuditSegment, rows: Sequence[tuple[str, int]]) -> None:
        """Write a segment and give its rows, each (writer, number), their places in this order.

        Raises Unavailable if another sealer took the segment or one of the rows; then nothing is written.
        """
        ...

    async def segments(self, after: int = 0, limit: int = 1000, *, tenant: str = TENANT) -> list[AuditSegment]: ...
    async def last_segment(self, *, tenant: str = TENANT) -> AuditSegment | None: ...
    async def rows_of(self, segment: int, *, tenant: str = TENANT) -> list[AuditRow]:
        """The rows of a segment in the order of the chain."""
        ...

    async def drop_rows(self, segment: int, *, at: int, tenant: str = TENANT) -> int:
        """Delete the rows of a sealed segment and write into it when (seconds); how many; the segment stays."""
        ...

    async def fold(self, last: int, *, tenant: str = TENANT) -> int:
        """Delete the segments up to ``last``, whose rows were dropped before; how many."""
        ...

    async def strays(self, first: int, last: int, *, tenant: str = TENANT) -> list[tuple[str, int, int]]:
        """Rows (writer, number, segment; at most 100) that say they were sealed into a segment outside ``first`` to
        ``last``."""
        ...

    async def erase_personal(self, writer: str, number: int, *, tenant: str = TENANT) -> bool:
        """Delete the personal data and the salt of a row; its digest stays."""
        ...

    async def query(
        self,
        *,
        tag: str | None = None,
        actor: str | None = None,
        target: str | None = None,
        trace_id: str | None = None,
        after: tuple[int, str, int] | None = None,
        limit: int = 100,
        tenant: str = TENANT,
    ) -> list[AuditRow]:
        """Rows that match, ordered by (at, writer, number), from the first one beyond ``after``."""
        ...

    async def writers(self, *, tenant: str = TENANT) -> list[tuple[str, int]]:
        """Every writer that has rows, with its last number."""
        ...


class Traces(Protocol):
    async def add(self, record: TraceRecord, *, expires_at: int, source: str, tenant: str = TENANT) -> None: ...
    async def get(self, trace_id: str, *, tenant: str = TENANT) -> tuple[TraceRecord, str] | None: ...  # with source


class Artifacts(Protocol):
    async def add(self, artifact: OneTimeArtifact) -> None: ...
    async def consume(self, kind: str, digest: bytes, *, now: int, tenant: str = TENANT) -> OneTimeArtifact | None:
        """The artifact as it was, and mark it consumed: atomic, one winner; None if there is none, it has expired
        or was consumed before."""
        ...

    async def consume_all(self, *, now: int, tenant: str = TENANT) -> int:
        """Mark every one consumed that is not; how many."""
        ...

    async def get(self, kind: str, digest: bytes, *, tenant: str = TENANT) -> OneTimeArtifact | None: ...


class UnitOfWork(Protocol):
    """The repositories, bound to one caller's writes (``write``) or to one consistent reading (``read``)."""

    clients: Clients
    client_keys: ClientKeys
    apis: Apis
    grants: Grants
    tokens: Tokens
    replay: Replay
    signing_keys: InstallationKeys
    revocations: Revocations
    audit: Audit
    traces: Traces
    artifacts: Artifacts
    users: Users
    factors: Factors
    sessions: Sessions
    consents: Consents
    refresh_tokens: RefreshTokens
    failed_attempts: FailedAttempts
    deliveries: Deliveries
    authorities: Authorities
    certificates: Certificates
    revocation_lists: RevocationLists
    status_lists: StatusLists
    acme_credentials: AcmeCredentials
    acme_accounts: AcmeAccounts
    acme_orders: AcmeOrders
    feed_readers: FeedReaders
    signal_streams: SignalStreams
    signal_events: SignalEvents
    received_signals: ReceivedSignals

    async def positions(self, *, changing: bool = False) -> Positions:
        """Where the database stands as this unit of work sees it; in a write nobody else can pass it until the end.

        changing: this one will raise the registry position itself. Those that do so take turns from here: two that only
        held it would each wait for the other in the end.
        """
        ...

    async def setting(self, name: str) -> str | None:
        """A value of the installation, such as ``"installation_id"`` (6 base62 characters, made by the migration)."""
        ...

    async def set_setting(self, name: str, value: str) -> None: ...

    async def alone(self, chore: str) -> bool:
        """Whether no other transaction, of any node, is at ``chore`` now, and so until this one ends; it never waits.

        Whoever gets True after another has finished finds what that one did, if it reads after asking.
        """
        ...


def nobody_is_told() -> None:
    """What a storage calls after a revocation until somebody wants to hear of it."""


class Storage(Protocol):
    """One database; built by ``app.py`` or the CLI from the storage URL."""

    after_revocation: Callable[[], None]
    """Called after each commit of this process that has added to the revocation log; it must not raise."""

    async def open(self, *, filling: bool = False) -> None: ...  # filling: though a restore of it has not ended
    async def close(self) -> None: ...
    def write(self, *, brief: bool = False) -> AbstractAsyncContextManager[UnitOfWork]:
        """A unit of work.

        brief: it changes no row that was there before, but what it owes the revocation log, so that it seldom waits for
        anybody, and may share a transaction with others of this moment. Of those that do, a fault of one may undo all:
        the others get ``Contended``, and do it again, not as a brief one.
        """
        ...

    def read(self) -> AbstractAsyncContextManager[UnitOfWork]: ...

    async def positions(self) -> Positions:
        """Where the database stands now, for every process; cheap enough for every request (a few microseconds)."""
        ...

    async def expire(self, now: int, *, batch: int = 1000) -> int:
        """Delete one batch of rows whose end has passed, over all tables; how many. Run until 0.

        What the revocation of a token goes by stays ``TAKEN_BEYOND_ITS_END`` seconds longer, a row of the log
        ``KEPT_BEYOND_ITS_END``: nothing else may take a row for good because it is there.

        Of nodes that do it at once one deletes, the others get 0.
        """
        ...
