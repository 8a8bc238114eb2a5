"""An audit event as it stands in the database, and the signed segments that seal such rows into one chain."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


class AuditRow(msgspec.Struct, frozen=True):
    """One row of the audit log; append-only but for its seal and the erasure of its personal data.

    writer: who wrote it: random, one for each database connection that writes, so that no lock crosses processes.
    number: 1, 2, 3, ... without a gap for each writer.
    at: milliseconds since the epoch.
    details: facts, no personal data.
    personal, personal_salt: None if there were none or once they are erased.
    personal_digest: SHA-256(salt || JSON of ``personal`` with sorted keys and no white space); outlives the erasure.
    segment, place: the sealed segment and the place in it, counted from 0; None while unsealed.
    """

    writer: str
    number: int
    at: int
    tag: str
    outcome: str
    actor: str
    target: str
    key_thumbprint: str
    reason: str
    trace_id: str
    details: dict[str, str]
    personal: dict[str, str] | None
    personal_salt: bytes | None
    personal_digest: bytes | None
    segment: int | None
    place: int | None
    tenant: str = "default"


@dataclass(frozen=True, slots=True)
class AuditSegment:
    """A run of sealed rows.

    segment: 1, 2, 3, ...; previous_head, head: SHA-256 values of the chain; signature: compact JWS over the head.
    sealed_at, dropped_at: seconds since the epoch; dropped_at is None while its rows are kept.
    """

    segment: int
    row_count: int
    previous_head: bytes
    head: bytes
    signature: str
    sealed_at: int
    dropped_at: int | None = None
    tenant: str = "default"
