"""An audit event: a decision or an act, as it is told to the audit log."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["allowed", "refused", "done", "fault"]


class AuditEvent(msgspec.Struct, frozen=True):
    """Who did what with which key, how it ended and why.

    tag: a name from ``audit.tags``, such as ``"token:issued"``.
    at: milliseconds since the epoch.
    actor: who acted: a client_id, ``"cli"``, ``"admin:<client_id>"``, ``"server"``; ``""`` if unknown.
    target: what it was done to, such as a client_id, a jti or a kid.
    key_thumbprint: the client key that proved the actor.
    reason: for a refusal the name of the failed check.
    details: further facts, no secret, no personal data.
    personal: personal data (an address, a name), kept in erasable columns; the chain holds only its salted hash.
    """

    tag: str
    outcome: Outcome
    at: int
    actor: str = ""
    target: str = ""
    key_thumbprint: str = ""
    reason: str = ""
    trace_id: str = ""
    details: dict[str, str] = {}
    personal: dict[str, str] = {}
    tenant: str = "default"
