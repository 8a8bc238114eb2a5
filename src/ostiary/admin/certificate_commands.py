"""What an operator commands about certificates, as typed, checked objects; command line and admin API make them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from ostiary.admin.commands import ClientId, Command, Owner
from ostiary.model import names
from ostiary.model.certificate import RevocationReason

ProfileName = Literal["server", "client", "workload"]
Serial = Annotated[str, Field(pattern=r"^[0-9a-f]{1,40}$", description="lower-case hex")]
Identity = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(names.one_line)]
Names = Annotated[list[Identity], Field(max_length=100)]
CertificateLife = Annotated[int, Field(ge=60, description="seconds")]


class NewCertificate(Command):
    """A certificate for the key in ``csr`` (PEM). names: as ``dns:``, ``ip:``, ``uri:`` or plain; of a client: none."""

    profile: ProfileName
    csr: Annotated[str, Field(min_length=1, max_length=16_384)]
    names: Names = Field(default_factory=list)
    client_id: ClientId | None = None
    owner: Owner = ""
    life: CertificateLife | None = None


class NewEnrolment(Command):
    """A token by which a machine gets one certificate, once. valid_for: seconds within which it must be used."""

    profile: ProfileName
    names: Names = Field(default_factory=list)
    client_id: ClientId | None = None
    owner: Owner = ""
    life: CertificateLife | None = None
    valid_for: Annotated[int, Field(ge=60, le=7 * 86_400)] = 3600


class CertificateEnd(Command):
    """with_client: its client is disabled too."""

    reason: RevocationReason = "unspecified"
    with_client: bool = False
