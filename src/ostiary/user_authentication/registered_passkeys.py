"""What is kept of a passkey, and how the browser is told of those that a user has."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from ostiary.model.factor import Factor
from ostiary.protocol import base64url

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

BACKED_UP: Final = "backed_up"
DEVICE_TYPE: Final = "device_type"
TRANSPORTS: Final = "transports"
AAGUID: Final = "aaguid"


def known_transports(named: Collection[object]) -> list[str]:
    """Those of ``named`` that are ways to reach an authenticator: section 5.8.4; each once, in order."""
    from webauthn.helpers.structs import AuthenticatorTransport

    known = {transport.value for transport in AuthenticatorTransport}
    return sorted({one for one in named if isinstance(one, str) and one in known})


def descriptors(factors: Collection[Factor]) -> list[PublicKeyCredentialDescriptor]:
    """The passkeys among ``factors``, for the options of a ceremony."""
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    return [
        PublicKeyCredentialDescriptor(
            id=base64url.decode((factor.lookup or "").encode("ascii")),
            transports=[AuthenticatorTransport(one) for one in _transports(factor)],
        )
        for factor in factors
        if factor.kind == "passkey"
    ]


def _transports(factor: Factor) -> list[str]:
    named = factor.details.get(TRANSPORTS)
    return known_transports(named) if isinstance(named, list) else []
