"""One process that revokes and signs lists as fast as it can: ``list_signer.py CONFIG TURNS``; prints what it kept."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from ostiary.app import installation
from ostiary.certificate_authority import issuing
from ostiary.certificate_authority.issuing import Wanted
from ostiary.certificate_authority.profiles import PROFILES
from ostiary.certificate_authority.revocation_lists import RevocationLists
from ostiary.revocation import Act, revoke_certificate
from ostiary.settings.load import load_settings


async def _sign(config: Path, turns: int) -> None:
    async with installation(load_settings(config, {})) as parts:
        authorities = parts.server.authorities
        lists = RevocationLists(authorities)
        await authorities.refresh()
        for _ in range(turns):
            key = ec.generate_private_key(ec.SECP256R1()).public_key()
            wanted = Wanted(PROFILES["server"], ("dns:api.example.com",), key, "ops", "operator")
            made = await issuing.prepare(authorities, wanted, parts.clock())
            act = Act("cli", parts.clock())
            async with parts.storage.write() as work:
                await issuing.record(work, made, act)
                await revoke_certificate(work, made.record.serial, act)
            print("revoked", made.record.serial, flush=True)
            print("kept", await lists.renew(), flush=True)


if __name__ == "__main__":
    asyncio.run(_sign(Path(sys.argv[1]), int(sys.argv[2])))
