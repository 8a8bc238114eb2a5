"""A key pair made on this machine: the private half goes into a credential file, the public half is registered.

The file comes first and is never written over. So there cannot be a registered key whose private half is nowhere, nor a
file that was lost to another. If the registration is refused, the file is removed again; if nobody knows whether it
was made, the file stays and the error says so.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from ostiary.admin.commands import NewKey
from ostiary.cli.output import note
from ostiary.errors import ConfigurationError, OAuthError, VerificationError
from ostiary.protocol.credential import Credential
from ostiary.protocol.jwk import SigningKey
from ostiary.secret_files import write_secret_file

MAX_KEY_FILE = 65_536

T = TypeVar("T")


def generate_key(alg: str) -> SigningKey:
    """A new key. Raises ConfigurationError for an algorithm that is not allowed."""
    try:
        return SigningKey.generate(alg)
    except VerificationError as error:
        raise ConfigurationError(f"no key can be made for {alg!r}: choose one of {error.expected}") from None


async def with_file(path: Path, credential: Credential, register: Callable[[], Awaitable[T]]) -> T:
    """Write ``credential`` to a new file ``path``, then ``register`` its key. Raises what ``register`` raises."""
    write_secret_file(path, credential.to_json())
    try:
        return await register()
    except (ConfigurationError, OAuthError, VerificationError):
        # A refusal: nothing was registered.
        _remove(path)
        raise
    except BaseException:
        note(f"{path} was kept, because the key may have been registered all the same: look, and remove it if not.")
        raise


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def public_key(key: SigningKey, *, owner: str = "") -> NewKey:
    """The public half of ``key`` as a command."""
    return NewKey(key=json.dumps(key.verification_key.public_jwk()), owner=owner)


def key_from_file(path: Path) -> str:
    """The text of a public key file (JWK, JWKS or PEM). Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_KEY_FILE + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"the key file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is no text: give a public key as JWK, JWKS or PEM") from None
    if len(content) > MAX_KEY_FILE:
        raise ConfigurationError(f"{path} is larger than {MAX_KEY_FILE} bytes and is no key file")
    return text
