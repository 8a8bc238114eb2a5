"""A delivery: something that must reach the outside in spite of failures, such as an e-mail or a logout token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

DeliveryKind = Literal["email", "backchannel_logout"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """payload: what is to be delivered; an e-mail is sealed, because it may hold a secret link.

    due_at: when to try next; expires_at: when to give up. attempts: tries so far. Times are seconds since the epoch.
    """

    delivery_id: str
    kind: DeliveryKind
    payload: bytes = field(repr=False)
    due_at: int
    expires_at: int
    attempts: int = 0
    tenant: str = "default"
