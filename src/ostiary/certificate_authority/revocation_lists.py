"""Keeps the revocation list of every authority whose key is here: renewed in time, and at once after a revocation.

RFC 5280 section 5. A list is signed outside the transaction; storage keeps the one whose number is the next, so of two
processes that sign at the same time one wins, and what the other signed nobody has seen. A crash leaves the last list.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import cast

from ostiary.audit import tags
from ostiary.certificate_authority import crl
from ostiary.certificate_authority.authorities import Authorities, OpenAuthority
from ostiary.certificate_authority.crl import Entry
from ostiary.errors import OstiaryError
from ostiary.model.certificate import Certificate, RevocationReason
from ostiary.model.certificate_authority import RevocationList
from ostiary.revocation.act import Act

_log = logging.getLogger(__name__)


class RevocationLists:
    """For a chore every second: while nothing was revoked and no list is half through its life, it costs one read."""

    def __init__(self, authorities: Authorities) -> None:
        self._authorities = authorities
        self._compared = -1
        self._due = 0.0

    async def renew(self) -> int:
        """Sign the lists that are due; how many were kept. A fault with one authority keeps no other one waiting."""
        positions = await self._authorities.storage.positions()
        now = self._authorities.clock()
        # A revocation raises the registry's position.
        if positions.registry == self._compared and now < self._due:
            return 0
        await self._authorities.refresh(positions)
        dues, made = [float("inf")], 0
        for authority in self._authorities.opened():
            if not authority.record.not_before <= now < authority.record.not_after:
                continue
            try:
                due, signed = await self._renew(authority, int(now))
            except OstiaryError as error:
                _log.error("no revocation list of %s: %s", authority.record.authority_id, error)
                due, signed = now, 0
            dues.append(due)
            made += signed
        self._compared, self._due = positions.registry, min(dues)
        return made

    async def _renew(self, authority: OpenAuthority, now: int) -> tuple[float, int]:
        """When to look again, and whether a list was kept now."""
        name = authority.record.authority_id
        async with self._authorities.storage.read() as work:
            last = await work.revocation_lists.get(name)
            # "An entry MUST NOT be removed from the CRL until it appears on one regularly scheduled CRL issued beyond
            # the revoked certificate's validity period." RFC 5280 3.3
            since = now if last is None else last.this_update
            revoked = await work.certificates.revoked(name, now=since)
        entries = [_entry(one) for one in revoked]
        if last is not None and now < _half(last) and _names_all(last, entries):
            return _half(last), 0
        made = await authority.signing(partial(self._sign, authority, entries, last, now))
        async with self._authorities.storage.write() as work:
            kept = await work.revocation_lists.put(made)
            if kept:
                told = {"number": str(made.number), "entries": str(len(entries))}
                await work.audit.append(Act("server", now).event(tags.REVOCATION_LIST_SIGNED, name, **told))
        # Another process was faster; whether its list names everything is seen in the next turn.
        return (_half(made), 1) if kept else (now, 0)

    def _sign(
        self, authority: OpenAuthority, entries: list[Entry], last: RevocationList | None, now: int
    ) -> RevocationList:
        life = self._authorities.settings.certificate_authority.crl_life
        number, begin = crl.next_number(last, now), now if last is None else max(now, last.this_update)
        return crl.signed(authority.certificate, authority.key, authority.record.alg, entries, number, begin, life)


def _half(made: RevocationList) -> float:
    return made.this_update + (made.next_update - made.this_update) / 2


def _names_all(last: RevocationList, entries: list[Entry]) -> bool:
    return {one.serial for one in entries} <= {one.serial for one in crl.entries_of(last)}


def _entry(one: Certificate) -> Entry:
    revoked_at = one.issued_at if one.revoked_at is None else one.revoked_at
    return Entry(int(one.serial, 16), revoked_at, cast(RevocationReason, one.reason))
