"""The file that holds a client secret, for applications that were made with one: RFC 7591 names its members.

JSON: ``type`` (``ostiary-client-secret``), ``issuer``, ``client_id``, ``client_secret``,
``token_endpoint_auth_method``. The file is a secret: mode 0600.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import strict_json
from ostiary.protocol.credential import CLIENT_SECRET
from ostiary.protocol.metadata import check_issuer_url


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    issuer: str
    client_id: Annotated[str, msgspec.Meta(min_length=1)]
    client_secret: Annotated[str, msgspec.Meta(min_length=1)]
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post"]


@dataclass(frozen=True, slots=True)
class SecretCredential:
    """A client's id and secret at an issuer. Its representation never shows the secret."""

    issuer: str
    client_id: str
    authentication_method: str
    secret: str = field(repr=False)

    @classmethod
    def parse(cls, document: bytes) -> SecretCredential:
        """The credential in ``document``. Raises ConfigurationError; the message never holds a part of the secret."""
        try:
            found = msgspec.convert(strict_json.decode_object(document), _File)
        except (VerificationError, msgspec.ValidationError):
            found = None
        if found is None or found.type != CLIENT_SECRET or not found.client_secret.isascii():
            raise ConfigurationError(
                f'That is no file with a client secret: it needs "type": "{CLIENT_SECRET}", issuer, client_id, '
                "client_secret and token_endpoint_auth_method."
            )
        issuer = check_issuer_url(found.issuer)
        return cls(issuer, found.client_id, found.token_endpoint_auth_method, found.client_secret)

    def to_json(self) -> bytes:
        """The credential as a file: a secret, to be written with mode 0600."""
        members: dict[str, object] = {
            "type": CLIENT_SECRET,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "client_secret": self.secret,
            "token_endpoint_auth_method": self.authentication_method,
        }
        return msgspec.json.format(strict_json.encode(members), indent=2) + b"\n"
