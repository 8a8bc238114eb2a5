"""The hash chain of the audit log: the canonical bytes of a row, and the link that binds a row to all before it.

The chain holds each fact of a row and the salted hash of its personal data, never the personal data themselves, so that
they can be erased and the chain still verifies. Where a row stands (segment, place) is bound by the order of the links.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping

import msgspec

from ostiary.model.audit_row import AuditRow

HEAD_BYTES = 32
# A name of the purpose and the version: no other hash of Ostiary can be passed off as a link (domain separation).
_LINK = b"ostiary-audit-link-v1\x00"
_BEGINNING = b"ostiary-audit-beginning-v1\x00"

_length = struct.Struct(">Q").pack
_LENGTHS = {length: _length(length) for length in range(128)}
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode


def beginning(installation: str) -> bytes:
    """The head before the first row: bound to the installation, so that chains of two cannot be exchanged."""
    return hashlib.sha256(_BEGINNING + installation.encode()).digest()


def canonical(row: AuditRow) -> bytes:
    """The bytes of a row, unambiguous: each field with its length in front (8 octets, big endian), in a fixed order."""
    fields = (
        row.tenant.encode(),
        row.writer.encode(),
        str(row.number).encode(),
        str(row.at).encode(),
        row.tag.encode(),
        row.outcome.encode(),
        row.actor.encode(),
        row.target.encode(),
        row.key_thumbprint.encode(),
        row.reason.encode(),
        row.trace_id.encode(),
        _encode_sorted(row.details),
        row.personal_digest or b"",
    )
    return b"".join([part for value in fields for part in (_LENGTHS.get(len(value)) or _length(len(value)), value)])


def link(previous_head: bytes, row: AuditRow) -> bytes:
    """The head after ``row``: SHA-256 of the purpose, the head before it (32 octets) and the row in canonical form."""
    return hashlib.sha256(_LINK + previous_head + canonical(row)).digest()


def link_all(previous_head: bytes, rows: Iterable[AuditRow]) -> bytes:
    """The head after all ``rows``, in their order."""
    head = previous_head
    for row in rows:
        head = link(head, row)
    return head


def personal_digest(salt: bytes, personal: Mapping[str, str]) -> bytes:
    """What a row keeps of its personal data: SHA-256 over the random salt and the canonical JSON.

    The salt is erased with the data; without it nobody can find a name or an address by trying.
    """
    return hashlib.sha256(salt + _encode_sorted(dict(personal))).digest()
