"""The credential file of a client that proves itself by certificate: who it is, and where certificate and key stand.

JSON: ``type`` (``ostiary-client-certificate``), ``issuer``, ``client_id``, ``certificate_file`` (PEM, with what stands
between it and its CA), ``private_key_file`` (PEM), ``ca_file`` (PEM, for the servers' certificates; without it the
system's). Paths are relative to the file, which holds no secret itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import strict_json
from ostiary.protocol.metadata import check_issuer_url

CLIENT_CERTIFICATE: Final = "ostiary-client-certificate"

_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: str
    issuer: str
    client_id: _Text
    certificate_file: _Text
    private_key_file: _Text
    ca_file: _Text | None = None


@dataclass(frozen=True, slots=True)
class CertificateCredential:
    """Who a client is, and where its certificate, its private key and the CA of the servers stand."""

    issuer: str
    client_id: str
    certificate_file: Path
    private_key_file: Path
    ca_file: Path | None = None

    @classmethod
    def parse(cls, document: bytes, folder: Path) -> CertificateCredential:
        """The credential in ``document``, which stands in ``folder``. Raises ConfigurationError."""
        try:
            found = msgspec.convert(strict_json.decode_object(document), _File)
        except (VerificationError, msgspec.ValidationError):
            found = None
        if found is None or found.type != CLIENT_CERTIFICATE:
            raise ConfigurationError(
                f'That is no file of a client with a certificate: it needs "type": "{CLIENT_CERTIFICATE}", issuer, '
                "client_id, certificate_file and private_key_file; ca_file if the servers' CA is not the system's."
            )
        issuer = check_issuer_url(found.issuer)
        ca_file = None if found.ca_file is None else folder / found.ca_file
        certificate, key = folder / found.certificate_file, folder / found.private_key_file
        return cls(issuer, found.client_id, certificate, key, ca_file)
