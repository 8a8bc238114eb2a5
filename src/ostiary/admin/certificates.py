"""What an operator does about certificates: issue, list, revoke, and hand out tokens for enrolment."""

from __future__ import annotations

from msgspec import structs

from ostiary.admin.certificate_commands import CertificateEnd, NewCertificate, NewEnrolment
from ostiary.admin.existing import NotThere, existing_client
from ostiary.audit import tags
from ostiary.certificate_authority import issuing
from ostiary.certificate_authority.authorities import Authorities
from ostiary.certificate_authority.enrolment import new_enrolment
from ostiary.certificate_authority.entitlement import Entitlement, entitlement
from ostiary.certificate_authority.issuing import Prepared
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.certificate import Certificate
from ostiary.revocation import revoke_certificate, revoke_client
from ostiary.revocation.act import Act
from ostiary.storage.base import Storage, UnitOfWork
from ostiary.trace import redact


async def issue(authorities: Authorities, command: NewCertificate, act: Act) -> Prepared:
    """A certificate on the operator's word. Raises ConfigurationError (with the reason), Unavailable."""
    await authorities.refresh()
    try:
        granted = _granted(authorities, command)
        prepared = await issuing.prepare(authorities, granted.wanted(command.csr.encode(), "operator"), act.now)
        async with authorities.storage.write() as work:
            await work.positions()
            await _check_client(work, granted)
            await issuing.record(work, prepared, act)
    except VerificationError as error:
        await _record_refusal(authorities.storage, command, error, act)
        raise unusable(error) from None
    return prepared


async def enrol(authorities: Authorities, command: NewEnrolment, act: Act) -> tuple[str, Entitlement]:
    """A token for one certificate, told this once. Raises ConfigurationError."""
    await authorities.refresh()
    try:
        granted = _granted(authorities, command)
        issuing.check_names(authorities, authorities.issuing(), granted.identities)
    except VerificationError as error:
        await _record_refusal(authorities.storage, command, error, act)
        raise unusable(error) from None
    async with authorities.storage.write() as work:
        await _check_client(work, granted)
        token = await new_enrolment(work, granted, now=int(act.now), until=int(act.now) + command.valid_for)
        event = act.event(
            tags.ENROLMENT_TOKEN_MADE, granted.client_id or granted.owner, names=", ".join(granted.identities)
        )
        await work.audit.append(event)
    return token, granted


async def end(storage: Storage, serial: str, command: CertificateEnd, act: Act) -> Certificate:
    """Revoke it, and its client if that is asked. Raises ConfigurationError: none there, or revoked before."""
    async with storage.write() as work:
        found = await existing_certificate(work, serial)
        # By the number as it is kept: openssl writes it in capitals, with colons or a leading zero.
        if not await revoke_certificate(work, found.serial, act, command.reason):
            raise ConfigurationError(f"the certificate {found.serial} was revoked before")
        if command.with_client and found.client_id:
            await revoke_client(work, found.client_id, act)
        return await existing_certificate(work, found.serial)


async def existing_certificate(work: UnitOfWork, serial: str) -> Certificate:
    """The certificate. Raises ConfigurationError if there is none."""
    found = await work.certificates.get(serial.lower().replace(":", "").lstrip("0"))
    if found is None:
        raise NotThere(f"there is no certificate {serial!r}: see `ostiary cert list`")
    return found


def unusable(error: VerificationError) -> ConfigurationError:
    """A refusal as an operator is told it."""
    told = [error.public + (f": {error.seen}" if error.seen else "")]
    told += [f"expected: {error.expected}"] if error.expected else []
    told += [error.mend] if error.mend else []
    return ConfigurationError(f"this certificate is refused: {'; '.join(told)}")


async def _record_refusal(
    storage: Storage, command: NewCertificate | NewEnrolment, error: VerificationError, act: Act
) -> None:
    target = command.client_id or command.owner
    event = act.event(tags.CERTIFICATE_REFUSED, target, profile=command.profile, seen=redact(error.seen))
    async with storage.write() as work:
        await work.audit.append(structs.replace(event, outcome="refused", reason=error.check))


def _granted(authorities: Authorities, command: NewCertificate | NewEnrolment) -> Entitlement:
    return entitlement(
        authorities.settings.issuer,
        command.profile,
        command.names,
        client_id=command.client_id or "",
        owner=command.owner,
        life=command.life,
    )


async def _check_client(work: UnitOfWork, granted: Entitlement) -> None:
    if granted.client_id:
        client = await existing_client(work, granted.client_id)
        if client.state != "active":
            raise ConfigurationError(f"client {client.client_id!r} is disabled: enable it first")
