"""What the operator's commands can do about certificates, wherever it is done; the port's part for them.

Two adapters: ``certificate_administration_local`` and ``certificate_administration_remote``.
"""

from __future__ import annotations

from typing import Protocol

from ostiary.admin.certificate_commands import CertificateEnd, NewCertificate, NewEnrolment
from ostiary.cli.user_administration import Row


class CertificateAdministration(Protocol):
    """The certificates of one installation. Every method raises ConfigurationError, OAuthError or Unavailable."""

    async def authorities(self) -> list[Row]: ...
    async def latest(self, *, before: int | None, limit: int) -> list[Row]: ...
    async def show(self, serial: str) -> Row: ...
    async def issue(self, command: NewCertificate) -> Row: ...
    async def enrol(self, command: NewEnrolment) -> Row: ...
    async def revoke(self, serial: str, command: CertificateEnd) -> Row: ...
