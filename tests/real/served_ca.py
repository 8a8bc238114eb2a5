"""A real server with a CA: founded beside it, in its database, as an operator does with the root at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from ostiary.app import Installation, installation
from ostiary.certificate_authority import founding, identities, issuing
from ostiary.certificate_authority.issuing import Prepared, Wanted
from ostiary.certificate_authority.life import AuthorityLife
from ostiary.certificate_authority.name_constraints import NameConstraints
from ostiary.certificate_authority.profiles import PROFILES
from ostiary.model.certificate import RevocationReason
from ostiary.protocol import algorithms
from ostiary.revocation import Act, revoke_certificate
from ostiary.settings.load import load_settings
from tests.real.served import Served

T = TypeVar("T")


@dataclass
class ServedCa:
    """Founds a CA in the installation of ``served``, whose server has been there; every method opens its database."""

    served: Served
    root: founding.Root = field(init=False)

    def found(self) -> None:
        async def act(parts: Installation) -> None:
            now = parts.clock()
            self.root = founding.new_root("Example", algorithms.generate("ES256"), "ES256", now)
            await self._life(parts).add_issuing(self.root, "Example", "ES256", NameConstraints(), Act("cli", now))

        self._with(act)

    def issue(self, name: str = "api.example.com") -> Prepared:
        async def act(parts: Installation) -> Prepared:
            await parts.server.authorities.refresh()
            key = ec.generate_private_key(ec.SECP256R1()).public_key()
            wanted = Wanted(PROFILES["server"], (identities.dns(name),), key, "ops", "operator")
            made = await issuing.prepare(parts.server.authorities, wanted, parts.clock())
            async with parts.storage.write() as work:
                await issuing.record(work, made, Act("cli", parts.clock()))
            return made

        return self._with(act)

    def revoke(self, made: Prepared, reason: RevocationReason = "superseded") -> None:
        async def act(parts: Installation) -> None:
            async with parts.storage.write() as work:
                await revoke_certificate(work, made.record.serial, Act("cli", parts.clock()), reason)

        self._with(act)

    def files(self, folder: Path, *made: Prepared) -> None:
        """root.pem, issuing.pem and 0.pem, 1.pem, ... for openssl."""
        (folder / "root.pem").write_bytes(self.root.certificate.public_bytes(Encoding.PEM))
        (folder / "issuing.pem").write_bytes(issuing.pem(made[0].issuer))
        for number, one in enumerate(made):
            (folder / f"{number}.pem").write_bytes(issuing.pem(one.record.certificate))

    def _life(self, parts: Installation) -> AuthorityLife:
        return AuthorityLife(parts.server.authorities, parts.key_management)

    def _with(self, act: Callable[[Installation], Awaitable[T]]) -> T:
        async def inside() -> T:
            async with installation(load_settings(self.served.config, {})) as parts:
                return await act(parts)

        return asyncio.run(inside())
