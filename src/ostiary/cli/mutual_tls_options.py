"""The options of ``ostiary client create`` and ``client change`` for clients with certificates: RFC 8705."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

import typer

from ostiary.admin.commands import CertificateSubject
from ostiary.errors import ConfigurationError
from ostiary.model.client import AuthenticationMethod
from ostiary.protocol.certificate_subject import SUBJECT_KINDS, SubjectKind

OPTIONS: Final[dict[str, Any]] = {
    "certificate_subject": Annotated[
        str | None,
        typer.Option(
            "--certificate-subject",
            metavar="KIND=VALUE",
            help="It proves itself by a certificate of a trusted CA that says so: " + ", ".join(SUBJECT_KINDS) + ".",
        ),
    ],
    "self_signed": Annotated[
        bool, typer.Option("--self-signed", help="It proves itself by the certificates that are registered for it.")
    ],
    "spiffe_jwt": Annotated[
        bool, typer.Option("--spiffe-jwt", help="It proves itself by JWT-SVIDs of its --spiffe-id's trust domain.")
    ],
    "spiffe_id": Annotated[
        str | None, typer.Option("--spiffe-id", metavar="SPIFFE_ID", help="The workload that it is, for its SVIDs.")
    ],
    "bound_tokens": Annotated[
        bool | None,
        typer.Option("--bound-tokens/--no-bound-tokens", help="Its tokens are bound to the certificate that it shows."),
    ],
}


def method(given: Mapping[str, Any]) -> AuthenticationMethod | None:
    """The method by certificate that was asked for. Raises ConfigurationError."""
    asked = [given["self_signed"], given["certificate_subject"] is not None, given["spiffe_jwt"]]
    if sum(asked) > 1:
        raise ConfigurationError(
            "--self-signed, --certificate-subject, --spiffe-jwt: a client has one method: keep one"
        )
    if given["spiffe_jwt"]:
        return "spiffe_jwt"
    if given["self_signed"]:
        return "self_signed_tls_client_auth"
    return None if given["certificate_subject"] is None else "tls_client_auth"


def subject(given: Mapping[str, Any]) -> CertificateSubject | None:
    """What names the client in its certificate. Raises ConfigurationError and ValidationError."""
    text = given["certificate_subject"]
    if text is None:
        return None
    kind, equals, value = text.partition("=")
    if not equals or kind not in get_args(SubjectKind):
        raise ConfigurationError(
            f"--certificate-subject {text!r}: write it as KIND=VALUE, KIND one of {', '.join(SUBJECT_KINDS)}"
        )
    return CertificateSubject(kind=kind, value=value)
