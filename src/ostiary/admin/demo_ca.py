"""The private CA of ``ostiary dev``: for names of this machine alone, its root's files in the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ostiary.certificate_authority import founding
from ostiary.certificate_authority.authorities import Authorities
from ostiary.certificate_authority.life import AuthorityLife
from ostiary.certificate_authority.name_constraints import checked
from ostiary.certificate_authority.root_files import read_root, write_root
from ostiary.key_management.base import KeyManagement
from ostiary.protocol import algorithms
from ostiary.revocation.act import Act

ALG: Final = "ES256"
NAME: Final = "Ostiary dev"
_DOMAINS = ("localhost", "example.com")
_NETWORKS = ("127.0.0.0/8", "::1/128")


async def ensure_ca(authorities: Authorities, keys: KeyManagement, directory: Path, now: float) -> Path:
    """The file with the root to trust; the CA is made if there is none. Raises ConfigurationError, Unavailable."""
    key_file, file = directory / "root-key.pem", directory / "root.pem"
    await authorities.refresh()
    if authorities.exist():
        return file
    if not key_file.exists():
        write_root(founding.new_root(NAME, algorithms.generate(ALG), ALG, now), key_file, file)
    constraints = checked(_DOMAINS, _NETWORKS)
    root = read_root(key_file, file)
    await AuthorityLife(authorities, keys).add_issuing(root, NAME, ALG, constraints, Act("dev", now), first=True)
    await authorities.refresh()
    return file
