"""A Token Status List of this installation: its places, which of them were given, and the list as it is published."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StatusListHead:
    """What tells whether a list has to be published anew.

    kid: of the key that signed what is published. version: rises with each publication.
    position: of the revocation log, up to which the published list is surely complete; opened_at: when it was opened.
    renew_at, expires_at: seconds since the epoch; at the latter the last token with a place in it has ended.
    """

    list_id: str
    kid: str
    version: int
    position: int
    opened_at: int
    renew_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class StatusList:
    """A list of one bit for each place; one octet holds eight.

    given: a bit for each place that was given to a token, or to a process that may give it; never a place twice.
    given_count: how many these are. statuses: the bits that are published. token: the signed list.
    """

    head: StatusListHead
    given: bytes
    given_count: int
    statuses: bytes
    token: bytes
    created_at: int
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class StatusPlace:
    """The place of one token."""

    list_id: str
    index: int
