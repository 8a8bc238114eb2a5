"""What the operator's commands can do about streams of security events, wherever it is done; the port's part for them.

Two adapters: ``signal_administration_local`` and ``signal_administration_remote``.
"""

from __future__ import annotations

from typing import Protocol

from ostiary.admin.signal_answers import NewReceiver, StreamPause
from ostiary.cli.user_administration import Row


class SignalAdministration(Protocol):
    """The streams of one installation. Every method raises ConfigurationError, OAuthError or Unavailable."""

    async def allow(self, command: NewReceiver) -> Row: ...
    async def streams(self) -> list[Row]: ...
    async def show(self, stream_id: str) -> Row: ...
    async def pause(self, stream_id: str, command: StreamPause) -> Row: ...
    async def resume(self, stream_id: str) -> Row: ...
    async def delete(self, stream_id: str) -> Row: ...
