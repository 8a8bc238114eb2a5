"""Settings of the security events that an upstream provider tells us: OpenID Shared Signals Framework 1.0."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ostiary.settings.fields import FilePath, Section, Texts


class UpstreamSignalSettings(Section):
    """``[upstream.NAME.signals]``: the provider tells us when it ends a session or an account, and so do we here.

    delivery: ``push`` to ``<our issuer>/signals/NAME``, or ``poll``, every ``poll_every`` seconds.
    push_secret_file: what the provider shows in its pushes as ``Authorization: Bearer ...``. audience: ``aud`` of its
    events, where it is not the client_id. manage: whether we make our stream there by its management API, with a token
    of our own (client_credentials, for ``scope`` and, if set, ``resource``); without it somebody has made it, and for
    poll ``poll_url`` says where. events: the types to ask for; those that have an effect here unless set.
    """

    delivery: Literal["push", "poll"]
    push_secret_file: FilePath | None = None
    audience: str | None = Field(default=None, min_length=1, max_length=256)
    manage: bool = True
    poll_url: str | None = Field(default=None, max_length=2048)
    poll_every: int = Field(default=5, ge=1, le=3600)
    resource: str | None = Field(default=None, min_length=1, max_length=2048)
    scope: str = Field(default="ssf.manage ssf.read", max_length=256)
    events: Texts = ()

    @model_validator(mode="after")
    def _agree(self) -> UpstreamSignalSettings:
        if (self.delivery == "push") != (self.push_secret_file is not None):
            raise ValueError(
                "push_secret_file belongs to delivery = push, and there it must be: how else is it proved?"
            )
        if self.poll_url is not None and (self.manage or self.delivery != "poll"):
            raise ValueError("poll_url is for delivery = poll and manage = false: else the provider says where")
        if self.delivery == "poll" and not self.manage and self.poll_url is None:
            raise ValueError("poll_url is missing: without manage somebody must say where events are fetched")
        return self
