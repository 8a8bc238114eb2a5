"""The signing keys of the installation: statements and repository. Private halves stand only wrapped."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from ostiary.errors import ConfigurationError
from ostiary.model.signing_key import InstallationKey, SigningKeyUse
from ostiary.storage.base import TENANT
from ostiary.storage.connection import Connection
from ostiary.storage.ledger import Ledger
from ostiary.storage.schema import SIGNING_KEYS
from ostiary.storage.statements import Statement, addition, replacement

_KEYS = SIGNING_KEYS.c
_COLUMNS = tuple(InstallationKey.__dataclass_fields__)
_LIST = Statement(
    select(*(_KEYS[name] for name in _COLUMNS))
    .where(_KEYS.tenant == bindparam("tenant"))
    .order_by(_KEYS.published_at, _KEYS.kid)
)
_ADD = addition(SIGNING_KEYS)
_REPLACE = replacement(SIGNING_KEYS, "tenant", "kid")


class SqlSigningKeys:
    """The installation's keys; every write raises the registry position."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def list(self, use: SigningKeyUse | None = None, *, tenant: str = TENANT) -> list[InstallationKey]:
        """Every key, or those of one use, the one published first first."""
        keys = [InstallationKey(*row) for row in await self._connection.all(_LIST, {"tenant": tenant})]
        return [key for key in keys if use is None or key.use == use]

    async def add(self, key: InstallationKey) -> None:
        if not await self._connection.run(_ADD, {name: getattr(key, name) for name in _COLUMNS}):
            raise ConfigurationError(f"A signing key {key.kid!r} exists; generate a new one.")
        self._ledger.registry_changed(key.tenant)

    async def replace(self, key: InstallationKey) -> None:
        row = {name: getattr(key, name) for name in _COLUMNS}
        row |= {"of_tenant": row.pop("tenant"), "of_kid": row.pop("kid")}
        if not await self._connection.run(_REPLACE, row):
            raise ConfigurationError(f"There is no signing key {key.kid!r}.")
        self._ledger.registry_changed(key.tenant)
