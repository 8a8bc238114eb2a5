"""A certificate for localhost by an authority of the test's own, in the files that a server takes."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """files: certificate and private key, as a server wants them; authority: the file by which others believe it."""

    files: tuple[Path, Path]
    authority: Path

    def trust(self) -> ssl.SSLContext:
        """What makes a client believe it."""
        return ssl.create_default_context(cafile=self.authority)


def certified(folder: Path, authority: trustme.CA | None = None) -> OwnCertificate:
    """Made in ``folder``; authority: one that others have certificates of, too."""
    authority = authority or trustme.CA()
    leaf = authority.issue_cert("localhost")
    made = OwnCertificate((folder / "tls.pem", folder / "tls.key"), folder / "ca.pem")
    certificate, key = made.files
    certificate.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    authority.cert_pem.write_to_path(made.authority)
    return made
