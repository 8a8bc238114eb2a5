"""Authorities and certificates, over HTTP. Founding an authority needs the root's key and so is for this machine."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from ostiary.admin import certificates
from ostiary.admin.api.guard import AdminGuard
from ostiary.admin.api.rows import answers
from ostiary.admin.certificate_answers import (
    AuthorityAnswer,
    CertificateAnswer,
    EnrolmentAnswer,
    IssuedCertificateAnswer,
)
from ostiary.admin.certificate_commands import CertificateEnd, NewCertificate, NewEnrolment
from ostiary.authorization_server.admin_resource import READ, WRITE
from ostiary.authorization_server.context import AuthorizationServer
from ostiary.revocation.act import Act

SerialInPath = Annotated[str, Path(pattern=r"^[0-9A-Fa-f:]{1,80}$", description="hex, as `cert list` shows it")]


def certificates_router(server: AuthorizationServer, guard: AdminGuard) -> APIRouter:
    """List, show, issue, revoke; tokens for enrolment."""
    router = APIRouter(tags=["certificates"])
    storage, clock = server.storage, server.clock
    reader, writer = Depends(guard.requires(READ)), guard.requires(WRITE)

    @router.get("/authorities", dependencies=[reader], responses=answers())
    async def authorities() -> list[AuthorityAnswer]:
        async with storage.read() as work:
            return [AuthorityAnswer.of(one) for one in await work.authorities.list()]

    @router.get("/certificates", dependencies=[reader], responses=answers(422))
    async def list_certificates(
        before: Annotated[int | None, Query(ge=0, description="issued_at of the last one seen")] = None,
        beyond: Annotated[str, Query(pattern="^[0-9a-f]{0,40}$", description="its serial")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[CertificateAnswer]:
        async with storage.read() as work:
            found = await work.certificates.latest(before=before, beyond=beyond, limit=limit)
        return [CertificateAnswer.of(one, clock()) for one in found]

    @router.get("/certificates/{serial}", dependencies=[reader], responses=answers(404, 422))
    async def certificate(serial: SerialInPath) -> CertificateAnswer:
        async with storage.read() as work:
            return CertificateAnswer.of(await certificates.existing_certificate(work, serial), clock())

    @router.post("/certificates", status_code=201, responses=answers(404, 422))
    async def issue(command: NewCertificate, act: Annotated[Act, Depends(writer)]) -> IssuedCertificateAnswer:
        prepared = await certificates.issue(server.authorities, command, act)
        return IssuedCertificateAnswer.of_prepared(prepared, clock())

    @router.post("/certificates/{serial}/revoke", responses=answers(404, 422))
    async def revoke(
        serial: SerialInPath, command: CertificateEnd, act: Annotated[Act, Depends(writer)]
    ) -> CertificateAnswer:
        return CertificateAnswer.of(await certificates.end(storage, serial, command, act), clock())

    @router.post("/enrolments", status_code=201, responses=answers(404, 422))
    async def enrol(command: NewEnrolment, act: Annotated[Act, Depends(writer)]) -> EnrolmentAnswer:
        return EnrolmentAnswer.of(*await certificates.enrol(server.authorities, command, act))

    return router
