"""Settings of the Token Status Lists: draft-ietf-oauth-status-list-20."""

from __future__ import annotations

from pydantic import Field, model_validator

from ostiary.settings.fields import Section


class StatusListSettings(Section):
    """Seconds.

    ttl: for how long others may keep a list, and so how long a revoked token may still pass where lists are looked at;
    a list is published anew within a second. life: after which a list is good no more, should this server be gone.
    """

    ttl: int = Field(default=30, ge=1, le=3600)
    life: int = Field(default=600, ge=10, le=86_400)

    @model_validator(mode="after")
    def _agree(self) -> StatusListSettings:
        # It is renewed at half of its life, and a copy of then is still to be good for its ttl.
        if self.life < 2 * self.ttl:
            raise ValueError("life is shorter than twice ttl, so a list could end before others ask again: raise it")
        return self
