"""The operator's commands about certificates on this machine's database."""

from __future__ import annotations

from collections.abc import Callable

from ostiary.admin import certificates
from ostiary.admin.answers import plain
from ostiary.admin.certificate_answers import (
    AuthorityAnswer,
    CertificateAnswer,
    EnrolmentAnswer,
    IssuedCertificateAnswer,
)
from ostiary.admin.certificate_commands import CertificateEnd, NewCertificate, NewEnrolment
from ostiary.certificate_authority.authorities import Authorities
from ostiary.certificate_authority.life import AuthorityLife
from ostiary.cli.local import Local
from ostiary.cli.user_administration import Row
from ostiary.key_management.open import key_token
from ostiary.revocation.act import Act


class LocalCertificateAdministration:
    """The services of ``admin.certificates``."""

    def __init__(self, local: Local, act: Callable[[], Act]) -> None:
        self._local = local
        self._storage = local.storage
        self._act = act

    async def authorities(self) -> list[Row]:
        async with self._storage.read() as work:
            return [plain(AuthorityAnswer.of(one)) for one in await work.authorities.list()]

    async def latest(self, *, before: int | None, limit: int) -> list[Row]:
        async with self._storage.read() as work:
            found = await work.certificates.latest(before=before, limit=limit)
        return [plain(CertificateAnswer.of(one, self._local.clock())) for one in found]

    async def show(self, serial: str) -> Row:
        async with self._storage.read() as work:
            found = await certificates.existing_certificate(work, serial)
        return plain(CertificateAnswer.of(found, self._local.clock()))

    async def issue(self, command: NewCertificate) -> Row:
        prepared = await certificates.issue(self._authorities(), command, self._act())
        return plain(IssuedCertificateAnswer.of_prepared(prepared, self._local.clock()))

    async def enrol(self, command: NewEnrolment) -> Row:
        return plain(EnrolmentAnswer.of(*await certificates.enrol(self._authorities(), command, self._act())))

    async def revoke(self, serial: str, command: CertificateEnd) -> Row:
        ended = await certificates.end(self._storage, serial, command, self._act())
        return plain(CertificateAnswer.of(ended, self._local.clock()))

    def life(self) -> AuthorityLife:
        """What founds and ends authorities; not part of the port, because only this machine may."""
        return AuthorityLife(self._authorities(), self._local.key_management())

    def act(self) -> Act:
        """Who does it, and when."""
        return self._act()

    def _authorities(self) -> Authorities:
        local = self._local
        token = key_token(local.settings.certificate_authority)
        return Authorities(local.storage, local.key_management(), local.settings, local.clock, token)
