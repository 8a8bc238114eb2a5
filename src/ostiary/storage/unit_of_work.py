"""The repositories over one connection."""

from __future__ import annotations

from ostiary.storage.acme import SqlAcmeAccounts, SqlAcmeCredentials, SqlAcmeOrders
from ostiary.storage.alone import alone
from ostiary.storage.apis import SqlApis
from ostiary.storage.artifacts import SqlArtifacts
from ostiary.storage.audit import AuditNumbers, SqlAudit
from ostiary.storage.base import (
    AcmeAccounts,
    AcmeCredentials,
    AcmeOrders,
    Apis,
    Artifacts,
    Audit,
    Authorities,
    Certificates,
    ClientKeys,
    Clients,
    Consents,
    Deliveries,
    Factors,
    FailedAttempts,
    FeedReaders,
    Grants,
    InstallationKeys,
    Positions,
    ReceivedSignals,
    RefreshTokens,
    Replay,
    RevocationLists,
    Revocations,
    Sessions,
    SignalEvents,
    SignalStreams,
    StatusLists,
    Tokens,
    Traces,
    Users,
)
from ostiary.storage.certificates import SqlAuthorities, SqlCertificates, SqlRevocationLists
from ostiary.storage.client_keys import SqlClientKeys
from ostiary.storage.clients import SqlClients
from ostiary.storage.connection import Connection
from ostiary.storage.consents import SqlConsents
from ostiary.storage.deliveries import SqlDeliveries
from ostiary.storage.expiry import delete_expired
from ostiary.storage.factors import SqlFactors
from ostiary.storage.failed_attempts import SqlFailedAttempts
from ostiary.storage.feed_readers import SqlFeedReaders
from ostiary.storage.grants import SqlGrants
from ostiary.storage.installation_settings import SqlSettings
from ostiary.storage.ledger import Ledger
from ostiary.storage.received_signals import SqlReceivedSignals
from ostiary.storage.refresh_tokens import SqlRefreshTokens
from ostiary.storage.replay import SqlReplay
from ostiary.storage.revocations import SqlRevocations
from ostiary.storage.sessions import SqlSessions
from ostiary.storage.signals import SqlSignalEvents, SqlSignalStreams
from ostiary.storage.signing_keys import SqlSigningKeys
from ostiary.storage.status_lists import SqlStatusLists
from ostiary.storage.tokens import SqlTokens
from ostiary.storage.traces import SqlTraces
from ostiary.storage.users import SqlUsers


class SqlUnitOfWork:
    """One connection's repositories; made once, used for one transaction, or one caller's part, after the other."""

    def __init__(self, connection: Connection, numbers: AuditNumbers, *, shared: bool) -> None:
        """shared: whether other transactions write at the same time (PostgreSQL; not SQLite)."""
        self.connection = connection
        self.numbers = numbers
        self._shared = shared
        self.ledger = ledger = Ledger(connection, shared=shared)
        self.clients: Clients = SqlClients(connection, ledger)
        self.client_keys: ClientKeys = SqlClientKeys(connection, ledger)
        self.apis: Apis = SqlApis(connection, ledger)
        self.grants: Grants = SqlGrants(connection, ledger)
        self.tokens: Tokens = SqlTokens(connection)
        self.replay: Replay = SqlReplay(connection, ledger, shared=shared)
        self.signing_keys: InstallationKeys = SqlSigningKeys(connection, ledger)
        self.revocations: Revocations = SqlRevocations(connection, ledger)
        self.audit: Audit = SqlAudit(connection, numbers)
        self.traces: Traces = SqlTraces(connection)
        self.artifacts: Artifacts = SqlArtifacts(connection)
        self.users: Users = SqlUsers(connection)
        self.factors: Factors = SqlFactors(connection)
        self.sessions: Sessions = SqlSessions(connection)
        self.consents: Consents = SqlConsents(connection)
        self.refresh_tokens: RefreshTokens = SqlRefreshTokens(connection)
        self.failed_attempts: FailedAttempts = SqlFailedAttempts(connection)
        self.deliveries: Deliveries = SqlDeliveries(connection)
        self.authorities: Authorities = SqlAuthorities(connection, ledger)
        self.certificates: Certificates = SqlCertificates(connection, ledger)
        self.revocation_lists: RevocationLists = SqlRevocationLists(connection)
        self.status_lists: StatusLists = SqlStatusLists(connection)
        self.acme_credentials: AcmeCredentials = SqlAcmeCredentials(connection)
        self.acme_accounts: AcmeAccounts = SqlAcmeAccounts(connection)
        self.acme_orders: AcmeOrders = SqlAcmeOrders(connection)
        self.feed_readers: FeedReaders = SqlFeedReaders(connection)
        self.signal_streams: SignalStreams = SqlSignalStreams(connection)
        self.signal_events: SignalEvents = SqlSignalEvents(connection, ledger)
        self.received_signals: ReceivedSignals = SqlReceivedSignals(connection)
        self._settings = SqlSettings(connection)

    async def positions(self, *, changing: bool = False) -> Positions:
        """Where the database stands as this unit of work sees it; changing: it will raise the registry's itself."""
        return await self.ledger.positions(changing=changing)

    async def setting(self, name: str) -> str | None:
        """A value of the installation, None if it has none of this name."""
        return await self._settings.get(name)

    async def set_setting(self, name: str, value: str) -> None:
        """Give a value of the installation; it raises no position."""
        await self._settings.put(name, value)

    async def alone(self, chore: str) -> bool:
        """Whether no other transaction is at ``chore``, until the end of this one."""
        return await alone(self.connection, chore, shared=self._shared)

    async def expire(self, now: int, batch: int) -> int:
        """Delete at most ``batch`` rows whose end (seconds since the epoch) has passed; how many.

        Nothing while another node does it: both would choose the same rows, and wait for one another.
        """
        if not await self.alone("expire"):
            return 0
        return await delete_expired(self.connection, now, batch)
