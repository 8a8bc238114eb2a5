"""The operator's commands about certificates by the admin API of a server elsewhere."""

from __future__ import annotations

from ostiary.admin.certificate_commands import CertificateEnd, NewCertificate, NewEnrolment
from ostiary.cli.admin_http import AdminHttp, in_path
from ostiary.cli.user_administration import Row


class RemoteCertificateAdministration:
    """Each method is one request."""

    def __init__(self, ask: AdminHttp) -> None:
        self._ask = ask

    async def authorities(self) -> list[Row]:
        return await self._ask.several("GET", "authorities")

    async def latest(self, *, before: int | None, limit: int) -> list[Row]:
        query = {"limit": str(limit)} | ({} if before is None else {"before": str(before)})
        return await self._ask.several("GET", "certificates", query=query)

    async def show(self, serial: str) -> Row:
        return await self._ask.one("GET", f"certificates/{in_path(serial)}")

    async def issue(self, command: NewCertificate) -> Row:
        return await self._ask.one("POST", "certificates", command)

    async def enrol(self, command: NewEnrolment) -> Row:
        return await self._ask.one("POST", "enrolments", command)

    async def revoke(self, serial: str, command: CertificateEnd) -> Row:
        return await self._ask.one("POST", f"certificates/{in_path(serial)}/revoke", command)
