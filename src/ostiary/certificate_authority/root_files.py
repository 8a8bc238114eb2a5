"""The root's certificate and key in two files of the operator's: made once, never written over, read to sign anew."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization

from ostiary.certificate_authority.founding import Root, root_from_pem
from ostiary.client.certificate_file import replace_public_file
from ostiary.errors import ConfigurationError
from ostiary.secret_files import read_secret_file, write_secret_file


def write_root(root: Root, key_file: Path, file: Path, passphrase: bytes | None = None) -> None:
    """The key with mode 0600, encrypted by the passphrase. Raises ConfigurationError: one of the files exists."""
    if file.exists():
        raise ConfigurationError(f"The file {file} exists already and is not overwritten: name another by --root.")
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    write_secret_file(key_file, root.key.private_bytes(encoding, form, encryption))
    try:
        replace_public_file(file, root.certificate.public_bytes(encoding))
    except ConfigurationError:
        key_file.unlink(missing_ok=True)
        raise


def read_root(key_file: Path, file: Path, passphrase: bytes | None = None) -> Root:
    """What ``write_root`` wrote. Raises ConfigurationError."""
    try:
        certificate = file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The root {file} cannot be read: {error.strerror}.") from None
    return root_from_pem(certificate, read_secret_file(key_file), passphrase=passphrase)
