"""What storage keeps of the private certificate authority: authorities, certificates, revocation lists."""

from __future__ import annotations

from typing import Protocol

from ostiary.model.certificate import Certificate, RevocationReason
from ostiary.model.certificate_authority import Authority, RevocationList
from ostiary.model.tenant import TENANT


class Authorities(Protocol):
    """Every write raises the registry position."""

    async def list(self, *, tenant: str = TENANT) -> list[Authority]: ...  # the one made first first
    async def add(self, authority: Authority) -> None: ...  # ConfigurationError if the key has one already
    async def replace(self, authority: Authority) -> None: ...  # ConfigurationError if there is none


class Certificates(Protocol):
    async def add(self, certificate: Certificate) -> None:
        """ConfigurationError if this authority has given the serial number before."""
        ...

    async def get(self, serial: str, *, tenant: str = TENANT) -> Certificate | None: ...
    async def by_thumbprint(self, thumbprint: str, *, tenant: str = TENANT) -> Certificate | None: ...
    async def of_key(self, key_thumbprint: str, *, tenant: str = TENANT) -> list[Certificate]: ...
    async def of_proof(self, proof: str, *, tenant: str = TENANT) -> list[Certificate]:
        """Every certificate that was given for this proof (``Certificate.proof``), in whatever state."""
        ...

    async def of_client(self, client_id: str, *, now: int, tenant: str = TENANT) -> list[Certificate]:
        """Those that have neither expired nor been revoked."""
        ...

    async def of_authority(self, authority_id: str, *, now: int, tenant: str = TENANT) -> list[Certificate]:
        """Those of this issuer that have neither expired nor been revoked, by serial number."""
        ...

    async def latest(
        self, *, before: int | None = None, beyond: str = "", limit: int = 100, tenant: str = TENANT
    ) -> list[Certificate]:
        """The last issued first. before: those issued earlier than that; beyond: and those of that very second whose
        serial number is higher. So ``issued_at`` and ``serial`` of the last one say where the next page begins.
        """
        ...

    async def revoked(self, authority_id: str, *, now: int, tenant: str = TENANT) -> list[Certificate]:
        """What its revocation list names: revoked and not expired, by serial number."""
        ...

    async def revoke(self, serial: str, *, at: int, reason: RevocationReason, tenant: str = TENANT) -> bool:
        """Whether it was not revoked until now; raises the registry position. Atomic, one winner."""
        ...

    async def touch(self, seen: dict[str, int], *, tenant: str = TENANT) -> None:
        """Remember when certificates were last seen (thumbprint -> seconds)."""
        ...


class RevocationLists(Protocol):
    async def get(self, authority_id: str, *, tenant: str = TENANT) -> RevocationList | None: ...
    async def put(self, made: RevocationList) -> bool:
        """Keep it in the place of the one before; False if one of this number or a higher one is there. Atomic."""
        ...
