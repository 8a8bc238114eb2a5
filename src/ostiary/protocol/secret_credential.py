"""The file that holds a client secret, for OAuth libraries that know nothing better: RFC 7591 names its members.

JSON: ``type`` (``ostiary-client-secret``), ``issuer``, ``client_id``, ``client_secret``,
``token_endpoint_auth_method``. The file is a secret: mode 0600. Ostiary's own client library proves itself by a key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from ostiary.protocol import strict_json
from ostiary.protocol.credential import CLIENT_SECRET


@dataclass(frozen=True, slots=True)
class SecretCredential:
    """A client's id and secret at an issuer. Its representation never shows the secret."""

    issuer: str
    client_id: str
    authentication_method: str
    secret: str = field(repr=False)

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
