"""What an application is told when a session ends: OpenID Connect Back-Channel Logout 1.0."""

from __future__ import annotations

import secrets

import msgspec

from ostiary.model.delivery import Delivery

GIVE_UP_AFTER = 3 * 86_400
"""Seconds for which an application that does not answer is tried again."""


class LogoutNotice(msgspec.Struct, frozen=True, kw_only=True):
    """Whose session ended: the logout token is made when it is sent, so that it is fresh at every try."""

    client_id: str
    sub: str
    sid: str

    def delivery(self, now: int) -> Delivery:
        """The notice in the queue, due at once; it holds no secret. now: seconds since the epoch."""
        payload = msgspec.json.encode(self)
        return Delivery("dlv_" + secrets.token_hex(12), "backchannel_logout", payload, now, now + GIVE_UP_AFTER)

    @classmethod
    def of(cls, delivery: Delivery) -> LogoutNotice:
        """The notice in a delivery."""
        return msgspec.json.decode(delivery.payload, type=cls)
