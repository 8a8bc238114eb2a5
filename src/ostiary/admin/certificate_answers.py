"""What an operator is told of authorities and certificates."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ostiary.admin.answers import Answer
from ostiary.certificate_authority.entitlement import Entitlement
from ostiary.certificate_authority.issuing import Prepared, pem
from ostiary.certificate_authority.name_constraints import of_certificate
from ostiary.model.certificate import Certificate
from ostiary.model.certificate_authority import Authority, AuthorityKind, AuthorityState


class AuthorityAnswer(Answer):
    """fingerprint: SHA-256 of the certificate, hex, as `ostiary ca trust` wants it; permits: its name constraints."""

    authority_id: str
    kind: AuthorityKind
    name: str
    state: AuthorityState
    alg: str
    key_store: str
    parent: str
    fingerprint: str
    permits: list[str]
    not_before: int
    not_after: int
    certificate: str

    @classmethod
    def of(cls, record: Authority) -> AuthorityAnswer:
        """Of the record."""
        certificate = x509.load_der_x509_certificate(record.certificate)
        constraints = of_certificate(certificate)
        return cls(
            authority_id=record.authority_id,
            kind=record.kind,
            name=record.name,
            state=record.state,
            alg=record.alg,
            key_store=record.key_store,
            parent=record.parent,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            permits=constraints.told(),
            not_before=record.not_before,
            not_after=record.not_after,
            certificate=pem(record.certificate).decode("ascii"),
        )


class CertificateAnswer(Answer):
    """A certificate of the inventory; what its members mean is told in ``model.certificate``. certificate: PEM."""

    serial: str
    state: str
    profile: str
    owner: str
    client_id: str
    identities: list[str]
    thumbprint: str
    authority_id: str
    proof: str
    not_before: int
    not_after: int
    issued_at: int
    last_seen_at: int | None
    revoked_at: int | None
    reason: str
    certificate: str

    @classmethod
    def of(cls, record: Certificate, now: float) -> CertificateAnswer:
        """Of the record, with its state now."""
        return cls.model_validate(_members(record, now))


class IssuedCertificateAnswer(CertificateAnswer):
    """A certificate just issued. chain: it and its issuer, PEM, as it is presented."""

    chain: str

    @classmethod
    def of_prepared(cls, prepared: Prepared, now: float) -> IssuedCertificateAnswer:
        """Of what was recorded."""
        return cls.model_validate(_members(prepared.record, now) | {"chain": prepared.chain_pem().decode("ascii")})


class EnrolmentAnswer(Answer):
    """A token for enrolment, told this once, and what it grants."""

    token: str
    profile: str
    identities: list[str]
    client_id: str
    owner: str

    @classmethod
    def of(cls, token: str, granted: Entitlement) -> EnrolmentAnswer:
        """Of both."""
        return cls(
            token=token,
            profile=granted.profile,
            identities=list(granted.identities),
            client_id=granted.client_id,
            owner=granted.owner,
        )


def _members(record: Certificate, now: float) -> dict[str, object]:
    names = set(CertificateAnswer.model_fields) - {"state", "identities", "certificate"}
    return {name: getattr(record, name) for name in names} | {
        "state": record.state(now),
        "identities": list(record.identities),
        "certificate": pem(record.certificate).decode("ascii"),
    }
