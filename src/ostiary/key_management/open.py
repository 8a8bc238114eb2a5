"""The token that an installation's settings name, if they name one."""

from __future__ import annotations

from ostiary.errors import ConfigurationError
from ostiary.extras import MissingExtra
from ostiary.key_management.base import KeyToken
from ostiary.settings.certificate_authority import CertificateAuthoritySettings


def key_token(settings: CertificateAuthoritySettings) -> KeyToken | None:
    """The token of ``[certificate_authority.pkcs11]``, not opened yet. Raises ConfigurationError: no such extra."""
    if settings.pkcs11 is None:
        return None
    try:
        from ostiary.key_management.pkcs11 import Pkcs11Token
    except MissingExtra as error:
        raise ConfigurationError(f"certificate_authority.pkcs11: {error}") from None
    return Pkcs11Token(settings.pkcs11)
