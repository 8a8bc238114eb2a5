"""Who a client is by its file: by a key, by a certificate; and the connections that go with it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from ostiary.client.assertion import ClientProof, Clock, NewJti, new_jti
from ostiary.client.certificate_proof import CertificateProof
from ostiary.client.client_authentication import OwnProof
from ostiary.client.client_certificate import ClientCertificate
from ostiary.client.credential_file import client_file, load_client_credential
from ostiary.errors import ConfigurationError
from ostiary.protocol.certificate_credential import CLIENT_CERTIFICATE, CertificateCredential
from ostiary.protocol.credential import type_of

MAX_BYTES = 65_536


def certificate_credential(path: str | os.PathLike[str] | None = None) -> CertificateCredential | None:
    """What the file at ``path`` (default: ``OSTIARY_CLIENT_FILE``) says of a client's certificate, None if it is of
    another kind. Raises ConfigurationError."""
    named = Path(client_file(path))
    try:
        with named.open("rb") as file:
            document = file.read(MAX_BYTES)
    except OSError:
        return None  # whoever reads it as a file with a key tells why it cannot be read
    if type_of(document) != CLIENT_CERTIFICATE:
        return None
    return CertificateCredential.parse(document, named.parent)


def certificate_of(credential: CertificateCredential) -> ClientCertificate:
    """The files that ``credential`` names. Raises ConfigurationError."""
    return ClientCertificate(credential.certificate_file, credential.private_key_file, ca=credential.ca_file)


def own_proof(
    path: str | os.PathLike[str] | None = None, *, clock: Clock = time.time, jti: NewJti = new_jti
) -> tuple[OwnProof, ClientCertificate | None]:
    """The proof of the client whose file is at ``path``, and the certificate that its connections show.

    Raises ConfigurationError.
    """
    named = certificate_credential(path)
    if named is None:
        return ClientProof(load_client_credential(path), clock=clock, jti=jti), None
    if not named.issuer.startswith("https://"):
        raise ConfigurationError(f"{named.issuer}: a client proves itself by certificate over https alone.")
    return CertificateProof(named.issuer, named.client_id, clock=clock), certificate_of(named)
