"""Orders, authorizations and challenges as their clients see them: RFC 8555 sections 7.1.3, 7.1.4 and 8."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from ostiary.authorization_server.endpoints.acme.urls import AcmeUrls
from ostiary.certificate_authority import identities
from ostiary.certificate_authority.acme.ordering import authorization_state, order_state
from ostiary.certificate_authority.acme.problems import URN
from ostiary.model.acme import AcmeAuthorization, AcmeChallenge, AcmeOrder

CHECK_AGAIN = 1
"""Seconds after which a client looks whether a validation has ended."""


def moment(seconds: int) -> str:
    """A time as RFC 3339 writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def identifier(identity: str) -> dict[str, str]:
    """An identifier as RFC 8555 and RFC 8738 write it."""
    return {"type": identity.partition(":")[0], "value": identities.value(identity)}


def order(
    urls: AcmeUrls, found: AcmeOrder, authorizations: Sequence[AcmeAuthorization], now: float
) -> dict[str, object]:
    """An order object."""
    state = order_state(found, now)
    url = urls.of("order", found.order_id)
    members: dict[str, object] = {
        "status": state,
        "expires": moment(found.ends_at),
        "identifiers": [identifier(one) for one in found.identifiers],
        "authorizations": [urls.of("authorization", one.authorization_id) for one in authorizations],
        "finalize": f"{url}/finalize",
    }
    if found.not_after is not None:
        members["notAfter"] = moment(found.not_after)
    if found.replaces:
        members["replaces"] = found.replaces
    if found.serial:
        members["certificate"] = urls.of("certificate", found.serial)
    if state == "invalid":
        expired = {"type": URN + "malformed", "detail": "the order was not completed in time"}
        members["error"] = json.loads(found.error) if found.error else expired
    return members


def authorization(
    urls: AcmeUrls, found: AcmeAuthorization, challenges: Sequence[AcmeChallenge], now: float
) -> dict[str, object]:
    """An authorization object. Of one that is valid only the challenge that made it so is shown (section 7.1.4)."""
    state = authorization_state(found, now)
    shown = [one for one in challenges if one.state == "valid"] if state == "valid" else challenges
    return {
        "status": state,
        "expires": moment(found.ends_at),
        "identifier": identifier(found.identifier),
        "challenges": [challenge(urls, one) for one in shown],
    }


def challenge(urls: AcmeUrls, found: AcmeChallenge) -> dict[str, object]:
    """A challenge object."""
    members: dict[str, object] = {
        "type": found.kind,
        "url": urls.of("challenge", found.challenge_id),
        "status": found.state,
        "token": found.token,
    }
    if found.validated_at is not None:
        members["validated"] = moment(found.validated_at)
    if found.error:
        members["error"] = json.loads(found.error)
    return members
