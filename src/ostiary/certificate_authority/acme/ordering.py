"""New orders, and what the states of their parts make of each other: RFC 8555 sections 7.1.3, 7.1.4 and 7.1.6."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ostiary.certificate_authority.acme.problems import URN
from ostiary.model.acme import AcmeAuthorization, AcmeChallenge, AcmeOrder, ChallengeKind

ORDER_LIFE: Final = 24 * 3600
"""Seconds within which an order must be completed."""
KEPT: Final = 7 * 24 * 3600
"""Seconds for which an order's rows stay after that, so that its client can still ask."""

_KINDS: Final[tuple[ChallengeKind, ...]] = ("http-01", "dns-01", "tls-alpn-01")


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order and what has to be proved for it, before it is written."""

    order: AcmeOrder
    authorizations: tuple[AcmeAuthorization, ...]
    challenges: tuple[AcmeChallenge, ...]


def new_id() -> str:
    """An unguessable id of 128 bits."""
    return secrets.token_urlsafe(16)


def new_order(
    account_id: str, identifiers: Sequence[str], now: int, *, not_after: int | None = None, replaces: str = ""
) -> NewOrder:
    """An order of ``account_id``; identifiers: parsed and permitted."""
    ends, expires = now + ORDER_LIFE, now + ORDER_LIFE + KEPT
    order = AcmeOrder(
        new_id(), account_id, "pending", tuple(identifiers), not_after, replaces, "", "", now, ends, expires
    )
    authorizations = tuple(
        AcmeAuthorization(new_id(), order.order_id, account_id, identifier, "pending", ends, expires)
        for identifier in identifiers
    )
    challenges = tuple(_challenge(one, kind, expires) for one in authorizations for kind in kinds_for(one.identifier))
    return NewOrder(order, authorizations, challenges)


def kinds_for(identifier: str) -> tuple[ChallengeKind, ...]:
    """How an identifier can be proved: an IP address never by dns-01 (RFC 8738 section 7)."""
    return tuple(kind for kind in _KINDS if identifier.startswith("dns:") or kind != "dns-01")


def _challenge(authorization: AcmeAuthorization, kind: ChallengeKind, expires: int) -> AcmeChallenge:
    return AcmeChallenge(
        challenge_id=new_id(),
        authorization_id=authorization.authorization_id,
        account_id=authorization.account_id,
        kind=kind,
        # Section 8.1: at least 128 bits of entropy.
        token=secrets.token_urlsafe(32),
        state="pending",
        attempts=0,
        due_at=0,
        error="",
        validated_at=None,
        expires_at=expires,
    )


def order_state(order: AcmeOrder, now: float) -> str:
    """The state as its client sees it: "invalid" when its time is over."""
    return "invalid" if order.state in ("pending", "ready") and order.ends_at <= now else order.state


def authorization_state(authorization: AcmeAuthorization, now: float) -> str:
    """The state as its client sees it: "expired" when its time is over."""
    over = authorization.state in ("pending", "valid") and authorization.ends_at <= now
    return "expired" if over else authorization.state


def after_proof(order: AcmeOrder, authorizations: Sequence[AcmeAuthorization]) -> AcmeOrder:
    """The order when an authorization has changed: "ready" when all are valid, "invalid" when one can be no more."""
    if order.state != "pending":
        return order
    states = {one.state for one in authorizations}
    if states == {"valid"}:
        return replace(order, state="ready")
    if states & {"invalid", "deactivated"}:
        return replace(order, state="invalid", error=problem_text("unauthorized", "a name was not proved", 403))
    return order


def problem_text(code: str, detail: str, status: int = 400, **members: object) -> str:
    """A problem document as it is kept in a row."""
    return json.dumps({"type": URN + code, "detail": detail, "status": status, **members})


def cleared(challenge: AcmeChallenge, now: int) -> AcmeChallenge:
    """The challenge when its client is ready: it is to be tried now."""
    return replace(challenge, state="processing", due_at=now)
