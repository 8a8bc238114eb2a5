"""The credential file of a client or of an API: who it is, at which issuer, and its private key.

JSON: ``type`` (``ostiary-client`` or ``ostiary-api``), ``issuer``, ``client_id``, ``audience`` (an API's own
identifier), ``private_key`` (a private JWK with ``kid`` and ``alg``, RFC 7517). The file is a secret: mode 0600, never
on the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import jwk, strict_json
from ostiary.protocol.jwk import SigningKey
from ostiary.protocol.metadata import check_issuer_url

CLIENT: Final = "ostiary-client"
API: Final = "ostiary-api"
CLIENT_SECRET: Final = "ostiary-client-secret"
"""Of the file in ``secret_credential``, which is no credential for the client library."""

_MEMBERS: Final = frozenset({"type", "issuer", "client_id", "audience", "private_key"})


def type_of(document: bytes) -> object:
    """What a credential file says it is; None of what is no JSON, or says nothing."""
    try:
        return strict_json.decode_object(document).get("type")
    except VerificationError:
        return None


@dataclass(frozen=True, slots=True)
class Credential:
    """A client's or an API's own identity. Its representation never shows the key.

    kind: ``ostiary-client`` or ``ostiary-api``; audience: the API's identifier, None for a client.
    """

    kind: str
    issuer: str
    client_id: str
    key: SigningKey = field(repr=False)
    audience: str | None = None

    @classmethod
    def parse(cls, document: bytes) -> Credential:
        """The credential in ``document``. Raises ConfigurationError; the message never holds a part of the key."""
        try:
            members = strict_json.decode_object(document)
        except VerificationError as error:
            raise ConfigurationError(f"The credential file is not usable JSON: {error.seen}.") from None
        if members.get("type") == CLIENT_SECRET:
            raise ConfigurationError(
                "The file holds a client secret, which is for other OAuth libraries: Ostiary's own proves itself by a "
                "key; see `ostiary client keys add CLIENT_ID --generate FILE`."
            )
        unknown = sorted(members.keys() - _MEMBERS)
        if unknown:
            raise ConfigurationError(
                f"The credential file has unknown members ({len(unknown)}); see {sorted(_MEMBERS)}."
            )
        kind = members.get("type")
        if kind not in (CLIENT, API):
            raise ConfigurationError(f'The credential file needs "type": "{CLIENT}" or "{API}".')
        audience = _text(members, "audience") if kind == API else None
        if kind == CLIENT and "audience" in members:
            raise ConfigurationError('A client\'s credential file has no "audience"; leave it out.')
        issuer = check_issuer_url(_text(members, "issuer"))
        return cls(str(kind), issuer, _text(members, "client_id"), _key(members), audience)

    def to_json(self) -> bytes:
        """The credential as a file: a secret, to be written with mode 0600."""
        members: dict[str, object] = {"type": self.kind, "issuer": self.issuer, "client_id": self.client_id}
        if self.audience is not None:
            members["audience"] = self.audience
        members["private_key"] = self.key.private_jwk()
        return msgspec.json.format(strict_json.encode(members), indent=2) + b"\n"


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f'The credential file needs "{name}" as a text.')
    return value


def _key(members: dict[str, object]) -> SigningKey:
    document = members.get("private_key")
    if not isinstance(document, dict) or "kid" not in document or "alg" not in document:
        raise ConfigurationError('The credential file needs "private_key": a private JWK with "kid" and "alg".')
    try:
        return jwk.parse_private_key(document)
    except VerificationError as error:
        raise ConfigurationError(f"The private key of the credential file cannot be used: {error.seen}.") from None
