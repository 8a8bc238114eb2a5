"""The contract of the repository of Token Status Lists; a part of ``storage.base``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from ostiary.model.revocation import Revocation
from ostiary.model.status_list import StatusList, StatusListHead, StatusPlace
from ostiary.model.tenant import TENANT


class StatusLists(Protocol):
    async def get(self, list_id: str, *, tenant: str = TENANT) -> StatusList | None: ...
    async def heads(self, now: int, *, tenant: str = TENANT) -> list[StatusListHead]:
        """Those that have not ended at ``now``, the oldest first."""
        ...

    async def open(self, capacity: int, now: int, *, since: int = 0, tenant: str = TENANT) -> StatusList | None:
        """The oldest list with less than ``capacity`` places given that was opened at the position ``since`` or above;
        None if each one is full or has ended."""
        ...

    async def add(self, made: StatusList) -> None: ...

    async def give(self, before: StatusList, given: bytes, given_count: int, expires_at: int) -> bool:
        """Note further places as given, and that the list is wanted until then; whether nobody did so since ``before``
        was read."""
        ...

    async def publish(self, head: StatusListHead, statuses: bytes, token: bytes, *, tenant: str = TENANT) -> bool:
        """Put a new list in the place of the last one; whether it was the next version. ``expires_at`` stays."""
        ...

    def ended_by(self, revocation: Revocation, *, now: int, page: int = 2000) -> AsyncIterator[list[StatusPlace]]:
        """The places of the tokens that this row ends and that have not expired at ``now``, at most ``page`` at once.

        A row that names a ``jti`` ends that token, any other one those below its own position.
        """
        ...
