"""A certificate with its key in one PEM file of mode 0600, as programs read it; replaced in one step.

The file holds the key, the certificate and its issuers; beside it, in ``<file>.issuer``, stands from whom it came and
where its copies are, so that no renewal forgets one. Programs that want two files get them besides (``key_file``,
``certificate_file``); the key's is replaced first, so that what a crash leaves half done is seen and mended at the next
start.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2

from ostiary.client.certificate_request import IssuedCertificate
from ostiary.client.exchange import Shell
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import pem
from ostiary.secret_files import read_secret_file, replace_secret_file

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")
_FRESH: Final = re.compile(r"\.[0-9a-f]{8}\.new")
_COPIES: Final = ("key_file", "certificate_file", "roots_file")
_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]+-----END [A-Z ]*PRIVATE KEY-----\n?")


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """path: key and certificate in one file. key_file, certificate_file: the same in two.

    roots_file: what to trust, written anew with each certificate; if it is there, it is what the issuer is trusted by.
    """

    path: Path
    key_file: Path | None = None
    certificate_file: Path | None = None
    roots_file: Path | None = None

    def load(self) -> IssuedCertificate:
        """What stands in the file. Raises ConfigurationError."""
        text = read_secret_file(self.path).decode("ascii", "replace")
        issuer = self._origin()["issuer"]
        chain, key = "".join(_CERTIFICATE.findall(text)), _KEY.search(text)
        if not chain or key is None:
            raise ConfigurationError(f"{self.path} does not hold a key and its certificate: request it anew.")
        try:
            made = IssuedCertificate(str(issuer), pem.private_key(key[0].encode("ascii")), chain, "")
            belongs = made.belongs_together()
        except (VerificationError, ValueError):
            raise ConfigurationError(f"{self.path} cannot be read: request the certificate anew.") from None
        if not belongs:
            raise ConfigurationError(f"The key in {self.path} is not that of its certificate: request it anew.")
        return made

    def with_its_copies(self) -> CertificateFile:
        """The same with the copies that were made when it was saved last, but for those named here.

        Raises ConfigurationError.
        """
        read_secret_file(self.path)  # else what is missing would be told of the file beside it
        origin = self._origin()
        kept = {name: getattr(self, name) or _path(origin.get(name)) for name in _COPIES}
        return CertificateFile(self.path, **kept)

    def check_writable(self) -> None:
        """Whether the files can be written, to be asked before a certificate is. Raises ConfigurationError."""
        for file in (self.path, self.key_file, self.certificate_file, self.roots_file):
            if file is not None and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK | os.X_OK)):
                raise ConfigurationError(f"The file {file} cannot be written: name one in a folder of yours.")

    def save(self, made: IssuedCertificate) -> None:
        """Put ``made`` in the place of what was there. Raises ConfigurationError."""
        copies = {name: str(file.absolute()) for name in _COPIES if (file := getattr(self, name)) is not None}
        document = json.dumps({"issuer": made.issuer} | copies).encode("utf-8")
        replace_public_file(self._issuer_file(), document + b"\n")
        replace_secret_file(self.path, made.key_pem() + made.chain.encode("ascii"))
        self.copy(made)

    def copy(self, made: IssuedCertificate) -> None:
        """Write the files that hold the same once more."""
        if self.key_file is not None:
            replace_secret_file(self.key_file, made.key_pem())
        if self.certificate_file is not None:
            replace_public_file(self.certificate_file, made.chain.encode("ascii"))
        if self.roots_file is not None and made.roots:
            replace_public_file(self.roots_file, made.roots.encode("ascii"))

    def is_whole(self, made: IssuedCertificate) -> bool:
        """Whether the copies hold what ``path`` holds; a crash between two of them leaves them apart."""
        wanted = {self.key_file: made.key_pem(), self.certificate_file: made.chain.encode("ascii")}
        return all(file is None or (file.exists() and file.read_bytes() == text) for file, text in wanted.items())

    def shell(self) -> Shell:
        """What asks the issuer, and trusts it by the roots beside those of the system. Raises ConfigurationError."""
        if self.roots_file is None or not self.roots_file.exists():
            return Shell()
        trust = httpx2.create_ssl_context()
        try:
            trust.load_verify_locations(cafile=self.roots_file)
        except (OSError, ssl.SSLError):
            raise ConfigurationError(
                f"{self.roots_file} holds no roots that can be read: get them anew by `ostiary ca trust`."
            ) from None
        return Shell(tls=trust)

    def sweep(self) -> None:
        """Remove what a crash left half written beside the files: among it may be a key that nobody uses."""
        for file in (self.path, self._issuer_file(), self.key_file, self.certificate_file, self.roots_file):
            if file is not None:
                _sweep(file)

    def _origin(self) -> Mapping[str, str]:
        try:
            origin = json.loads(self._issuer_file().read_text("utf-8"))
            known = {name: str(origin[name]) for name in ("issuer", *_COPIES) if name == "issuer" or name in origin}
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigurationError(
                f"{self._issuer_file()} does not say from whom {self.path} came: request the certificate anew."
            ) from None
        return known

    def _issuer_file(self) -> Path:
        return self.path.with_name(self.path.name + ".issuer")


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _sweep(file: Path) -> None:
    for left in file.parent.glob("*.new"):
        if left.name.startswith(file.name) and _FRESH.fullmatch(left.name.removeprefix(file.name)):
            left.unlink(missing_ok=True)


def replace_public_file(path: Path, content: bytes) -> None:
    """Put ``content`` in the place of ``path`` in one step. Raises ConfigurationError."""
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigurationError(f"The file {path} cannot be written: {error.strerror}.") from None
