"""The authorities of the private CA, the certificates they issued and their revocation lists."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ostiary.errors import ConfigurationError
from ostiary.model.certificate import Certificate, RevocationReason
from ostiary.model.certificate_authority import Authority, RevocationList
from ostiary.model.tenant import TENANT
from ostiary.storage.certificate_schema import AUTHORITIES, CERTIFICATES, REVOCATION_LISTS
from ostiary.storage.connection import Connection, Row
from ostiary.storage.json_columns import decoder, to_json
from ostiary.storage.ledger import Ledger
from ostiary.storage.statements import Statement, addition, lookup, replacement

_AUTHORITY = tuple(Authority.__dataclass_fields__)
_LIST_AUTHORITIES = Statement(
    select(*(AUTHORITIES.c[name] for name in _AUTHORITY))
    .where(AUTHORITIES.c.tenant == bindparam("tenant"))
    .order_by(AUTHORITIES.c.created_at, AUTHORITIES.c.authority_id)
)
_ADD_AUTHORITY = addition(AUTHORITIES)
_REPLACE_AUTHORITY = replacement(AUTHORITIES, "tenant", "authority_id")

_COLUMNS = tuple(Certificate.__dataclass_fields__)
_OF = CERTIFICATES.c
_HERE = _OF.tenant == bindparam("tenant")
_SELECTED = select(*(_OF[name] for name in _COLUMNS))
_ADD = addition(CERTIFICATES)
_GET = lookup(CERTIFICATES, _COLUMNS, "tenant", "serial")
_BY_THUMBPRINT = lookup(CERTIFICATES, _COLUMNS, "tenant", "thumbprint")
_OF_KEY = lookup(CERTIFICATES, _COLUMNS, "tenant", "key_thumbprint")
_OF_PROOF = Statement(_SELECTED.where(_HERE, _OF.proof == bindparam("proof")).order_by(_OF.issued_at, _OF.serial))
_OF_CLIENT = Statement(
    _SELECTED.where(
        _HERE,
        _OF.client_id == bindparam("client_id"),
        _OF.not_after > bindparam("now"),
        _OF.revoked_at.is_(None),
    ).order_by(_OF.issued_at, _OF.serial)
)
_OF_AUTHORITY = Statement(
    _SELECTED.where(
        _HERE,
        _OF.authority_id == bindparam("authority_id"),
        _OF.not_after > bindparam("now"),
        _OF.revoked_at.is_(None),
    ).order_by(_OF.serial)
)
_LIST = Statement(
    _SELECTED.where(
        _HERE,
        or_(
            _OF.issued_at < bindparam("before"),
            and_(_OF.issued_at == bindparam("before"), _OF.serial > bindparam("beyond")),
        ),
    )
    .order_by(_OF.issued_at.desc(), _OF.serial)
    .limit(bindparam("limit"))
)
_REVOKED = Statement(
    _SELECTED.where(
        _HERE,
        _OF.authority_id == bindparam("authority_id"),
        _OF.revoked_at.is_not(None),
        _OF.not_after > bindparam("now"),
    ).order_by(_OF.serial)
)
_REVOKE = Statement(
    update(CERTIFICATES)
    .where(_OF.tenant == bindparam("of_tenant"), _OF.serial == bindparam("of_serial"), _OF.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"), reason=bindparam("reason"))
)
_TOUCH = Statement(
    update(CERTIFICATES)
    .where(
        _OF.tenant == bindparam("of_tenant"),
        _OF.thumbprint == bindparam("of_thumbprint"),
        or_(_OF.last_seen_at.is_(None), _OF.last_seen_at < bindparam("seen_at")),
    )
    .values(last_seen_at=bindparam("seen_at"))
)
_FOREVER = 1 << 62
_NO_SERIAL = "g"  # beyond every hex digit
_IDENTITIES = decoder(tuple[str, ...])

_LIST_COLUMNS = tuple(RevocationList.__dataclass_fields__)
_GET_LIST = lookup(REVOCATION_LISTS, _LIST_COLUMNS, "tenant", "authority_id")
_LIST_VALUES: dict[str, Any] = {name: bindparam(name) for name in _LIST_COLUMNS}
_LIST_KEY = [REVOCATION_LISTS.c.tenant, REVOCATION_LISTS.c.authority_id]
_LIST_CHANGE: dict[str, Any] = {
    name: bindparam(name) for name in _LIST_COLUMNS if name not in ("tenant", "authority_id")
}
_IF_LATER = REVOCATION_LISTS.c.number < bindparam("number")
_PUT_LIST = Statement(
    sqlite_insert(REVOCATION_LISTS)
    .values(_LIST_VALUES)
    .on_conflict_do_update(index_elements=_LIST_KEY, set_=_LIST_CHANGE, where=_IF_LATER),
    postgresql=postgresql_insert(REVOCATION_LISTS)
    .values(_LIST_VALUES)
    .on_conflict_do_update(index_elements=_LIST_KEY, set_=_LIST_CHANGE, where=_IF_LATER),
)


def _from_row(row: Row) -> Certificate:
    named = dict(zip(_COLUMNS, row, strict=True))
    return Certificate(**{**named, "identities": _IDENTITIES.decode(named["identities"])})


class SqlAuthorities:
    """The authorities; every write raises the registry position."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def list(self, *, tenant: str = TENANT) -> list[Authority]:
        return [Authority(*row) for row in await self._connection.all(_LIST_AUTHORITIES, {"tenant": tenant})]

    async def add(self, authority: Authority) -> None:
        if not await self._connection.run(_ADD_AUTHORITY, {name: getattr(authority, name) for name in _AUTHORITY}):
            raise ConfigurationError(f"There is an authority {authority.authority_id} already: make a new key.")
        self._ledger.registry_changed(authority.tenant)

    async def replace(self, authority: Authority) -> None:
        row = {name: getattr(authority, name) for name in _AUTHORITY}
        row |= {"of_tenant": row.pop("tenant"), "of_authority_id": row.pop("authority_id")}
        if not await self._connection.run(_REPLACE_AUTHORITY, row):
            raise ConfigurationError(f"There is no authority {authority.authority_id}.")
        self._ledger.registry_changed(authority.tenant)


class SqlCertificates:
    """The inventory. A revocation raises the registry position; an issuance does not, as nobody relied on it before."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    async def add(self, certificate: Certificate) -> None:
        row = {name: getattr(certificate, name) for name in _COLUMNS}
        if not await self._connection.run(_ADD, {**row, "identities": to_json(certificate.identities)}):
            raise ConfigurationError(f"A certificate with the serial number {certificate.serial} was issued before.")

    async def get(self, serial: str, *, tenant: str = TENANT) -> Certificate | None:
        row = await self._connection.one(_GET, {"tenant": tenant, "serial": serial})
        return _from_row(row) if row else None

    async def by_thumbprint(self, thumbprint: str, *, tenant: str = TENANT) -> Certificate | None:
        row = await self._connection.one(_BY_THUMBPRINT, {"tenant": tenant, "thumbprint": thumbprint})
        return _from_row(row) if row else None

    async def of_key(self, key_thumbprint: str, *, tenant: str = TENANT) -> list[Certificate]:
        """Every certificate of this public key, whoever has it."""
        rows = await self._connection.all(_OF_KEY, {"tenant": tenant, "key_thumbprint": key_thumbprint})
        return [_from_row(row) for row in rows]

    async def of_proof(self, proof: str, *, tenant: str = TENANT) -> list[Certificate]:
        """Every certificate that was given for this proof, in whatever state."""
        rows = await self._connection.all(_OF_PROOF, {"tenant": tenant, "proof": proof})
        return [_from_row(row) for row in rows]

    async def of_client(self, client_id: str, *, now: int, tenant: str = TENANT) -> list[Certificate]:
        row = {"tenant": tenant, "client_id": client_id, "now": now}
        return [_from_row(found) for found in await self._connection.all(_OF_CLIENT, row)]

    async def of_authority(self, authority_id: str, *, now: int, tenant: str = TENANT) -> list[Certificate]:
        row = {"tenant": tenant, "authority_id": authority_id, "now": now}
        return [_from_row(found) for found in await self._connection.all(_OF_AUTHORITY, row)]

    async def latest(
        self, *, before: int | None = None, beyond: str = "", limit: int = 100, tenant: str = TENANT
    ) -> list[Certificate]:
        row = {"tenant": tenant, "before": _FOREVER if before is None else before, "limit": limit}
        row["beyond"] = beyond or _NO_SERIAL
        return [_from_row(found) for found in await self._connection.all(_LIST, row)]

    async def revoked(self, authority_id: str, *, now: int, tenant: str = TENANT) -> list[Certificate]:
        row = {"tenant": tenant, "authority_id": authority_id, "now": now}
        return [_from_row(found) for found in await self._connection.all(_REVOKED, row)]

    async def revoke(self, serial: str, *, at: int, reason: RevocationReason, tenant: str = TENANT) -> bool:
        row = {"of_tenant": tenant, "of_serial": serial, "at": at, "reason": reason}
        if not await self._connection.run(_REVOKE, row):
            return False
        self._ledger.registry_changed(tenant)
        return True

    async def touch(self, seen: dict[str, int], *, tenant: str = TENANT) -> None:
        # In one order everywhere, so that two transactions cannot wait for each other.
        for thumbprint in sorted(seen):
            row = {"of_tenant": tenant, "of_thumbprint": thumbprint, "seen_at": seen[thumbprint]}
            await self._connection.run(_TOUCH, row)


class SqlRevocationLists:
    """The last revocation list of each authority."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, authority_id: str, *, tenant: str = TENANT) -> RevocationList | None:
        row = await self._connection.one(_GET_LIST, {"tenant": tenant, "authority_id": authority_id})
        return RevocationList(*row) if row else None

    async def put(self, made: RevocationList) -> bool:
        return await self._connection.run(_PUT_LIST, {name: getattr(made, name) for name in _LIST_COLUMNS}) > 0
