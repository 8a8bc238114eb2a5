"""Where a client's or an API's own identity comes from: a credential file, or issuer, client id and key by hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import credential, jwk
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.metadata import check_issuer_url
from ostiary.protocol.secret_credential import SecretCredential
from ostiary.secret_files import read_secret_file

CLIENT_FILE_VARIABLE = "OSTIARY_CLIENT_FILE"

KeySource = str | os.PathLike[str] | bytes | SigningKey
"""A path to PEM or JWK, the bytes of either, or a key."""


def load_client_credential(
    path: str | os.PathLike[str] | None = None, *, environ: Mapping[str, str] = os.environ
) -> Credential:
    """The client's credential in the file at ``path``, or in the one that ``OSTIARY_CLIENT_FILE`` names.

    Raises ConfigurationError: no file named, unreadable, open to others, or not a client's.
    """
    return _load(client_file(path, environ=environ), credential.CLIENT)


def load_client_identity(path: str | os.PathLike[str] | None = None) -> Credential | SecretCredential:
    """As ``load_client_credential``, also of a client with a secret in place of a key: what the file's type says."""
    path = client_file(path)
    document = read_secret_file(path)
    if credential.type_of(document) == credential.CLIENT_SECRET:
        return SecretCredential.parse(document)
    return _parse(document, path, credential.CLIENT)


def client_file(
    path: str | os.PathLike[str] | None = None, *, environ: Mapping[str, str] = os.environ
) -> str | os.PathLike[str]:
    """``path``, or the one that ``OSTIARY_CLIENT_FILE`` names. Raises ConfigurationError where neither names a file."""
    named = path if path is not None else environ.get(CLIENT_FILE_VARIABLE)
    if not named:
        raise ConfigurationError(
            f"No client credential: name the client's file (--client-file at the command line), or set"
            f" {CLIENT_FILE_VARIABLE}; `ostiary client create --generate FILE` makes one."
        )
    return named


def load_api_credential(path: str | os.PathLike[str]) -> Credential:
    """The API's credential in the file at ``path``. Raises ConfigurationError."""
    return _load(path, credential.API)


def client_credential(*, issuer: str, client_id: str, key: KeySource, kid: str | None = None) -> Credential:
    """The credential of ``client_id`` at ``issuer`` with ``key``.

    kid: the name under which the key is registered, where the key does not say (default: its RFC 7638 thumbprint).
    Raises ConfigurationError; the message never holds a part of the key.
    """
    return Credential(credential.CLIENT, check_issuer_url(issuer), client_id, load_key(key, kid=kid))


def load_key(source: KeySource, *, kid: str | None = None) -> SigningKey:
    """The private key in ``source``. Raises ConfigurationError."""
    if isinstance(source, SigningKey):
        return source
    document = source if isinstance(source, bytes) else read_secret_file(source)
    try:
        return jwk.parse_private_key(document, kid=kid)
    except VerificationError as error:
        raise ConfigurationError(f"The private key cannot be used: {error.seen}; give PEM (PKCS 8) or a JWK.") from None


_NAMES = {
    credential.CLIENT: f'the credential of a client (type "{credential.CLIENT}")',
    credential.API: f'the credential of an API (type "{credential.API}")',
}


def _load(path: str | os.PathLike[str], kind: str) -> Credential:
    return _parse(read_secret_file(path), path, kind)


def _parse(document: bytes, path: str | os.PathLike[str], kind: str) -> Credential:
    found = Credential.parse(document)
    if found.kind != kind:
        raise ConfigurationError(f"{Path(path)} is {_NAMES[found.kind]}; this needs {_NAMES[kind]}.")
    return found
