"""Where metadata is found and whom it may speak for: RFC 8414, OpenID Connect Discovery 1.0, RFC 9728."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import strict_json, uri
from ostiary.protocol.checks import ISSUER, malformed, shown

_LOOPBACK = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?/")
_MAX_LENGTH = 2048


class WellKnownUrls(NamedTuple):
    """The places where the metadata of an issuer is published, in the order in which a client tries them."""

    oauth: str
    openid_inserted: str
    openid: str


class AuthorizationServerMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """What we read of an authorization server's metadata (RFC 8414 section 2); further members are left aside."""

    issuer: str
    token_endpoint: str | None = None
    authorization_endpoint: str | None = None
    jwks_uri: str | None = None
    introspection_endpoint: str | None = None
    revocation_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    scopes_supported: list[str] | None = None
    response_types_supported: list[str] | None = None
    grant_types_supported: list[str] | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    token_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool = False
    mtls_endpoint_aliases: dict[str, str] | None = None
    ostiary_client_keys_endpoint: str | None = None
    ostiary_next_key_endpoint: str | None = None
    ostiary_traces_endpoint: str | None = None
    ostiary_revocations_endpoint: str | None = None
    ostiary_revocations_applied_endpoint: str | None = None
    ostiary_certificate_endpoint: str | None = None
    ostiary_certificate_enrolment_endpoint: str | None = None
    ostiary_certificate_renewal_endpoint: str | None = None


class ProtectedResourceMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """The metadata of an API (RFC 9728 section 2)."""

    resource: str
    authorization_servers: list[str] | None = None
    scopes_supported: list[str] | None = None
    bearer_methods_supported: list[str] | None = None
    resource_name: str | None = None
    resource_documentation: str | None = None
    tls_client_certificate_bound_access_tokens: bool | None = None


def well_known_urls(issuer: str) -> WellKnownUrls:
    """Where the metadata of ``issuer`` stands.

    "any terminating '/' MUST be removed before inserting '/.well-known/' and the well-known URI suffix between the host
    component and the path component" (RFC 8414 section 3.1); OpenID Connect Discovery 4.1 appends instead.
    """
    origin, path = _origin_and_path(issuer)
    return WellKnownUrls(
        oauth=f"{origin}/.well-known/oauth-authorization-server{path}",
        openid_inserted=f"{origin}/.well-known/openid-configuration{path}",
        openid=f"{origin}{path}/.well-known/openid-configuration",
    )


def transmitter_url(issuer: str) -> str:
    """Where the description of ``issuer`` as a transmitter of security events stands: SSF 1.0 section 7.2."""
    origin, path = _origin_and_path(issuer)
    return f"{origin}/.well-known/ssf-configuration{path}"


def protected_resource_url(resource: str) -> str:
    """Where the metadata of the API ``resource`` stands, its query kept at the end. Source: RFC 9728 section 3.1."""
    origin, path = _origin_and_path(resource)
    query = urlsplit(resource).query
    return f"{origin}/.well-known/oauth-protected-resource{path}{'?' + query if query else ''}"


def parse_authorization_server(document: bytes, issuer: str) -> AuthorizationServerMetadata:
    """The metadata in ``document``, if it speaks for ``issuer``. Raises VerificationError("format", "issuer")."""
    members = strict_json.decode_object(document)
    check_issuer(members, issuer)
    try:
        return msgspec.convert(members, AuthorizationServerMetadata)
    except msgspec.ValidationError as error:
        raise malformed(f"metadata with an unfit member: {shown(str(error))}") from None


def check_issuer(document: Mapping[str, object], expected: str) -> None:
    """Refuse metadata of another issuer with VerificationError("issuer").

    "The 'issuer' value returned MUST be identical to the authorization server's issuer identifier value into which the
    well-known URI string was inserted" (RFC 8414 section 3.3).
    """
    issuer = document.get("issuer")
    if issuer != expected:
        raise VerificationError(
            ISSUER,
            "issuer mismatch",
            seen=shown(issuer),
            expected=shown(expected),
            mend="configure the issuer exactly as its metadata writes it",
        )


def check_issuer_url(issuer: str, *, closing_slash: bool = False) -> str:
    """``issuer``, if it can be one. Raises ConfigurationError that names the mend.

    "a URL that uses the 'https' scheme and has no query or fragment components" (RFC 8414 section 2); http is for
    loopback alone. closing_slash: whether one may stand at its end, as in the names of some foreign issuers. Ours has
    none: half of the world adds or drops it, and issuers are compared exactly.
    """
    if "?" in issuer:
        raise ConfigurationError(f"The issuer {shown(issuer)} must have no query.")
    check_https_url(issuer, "The issuer")
    plain = uri.normalize(issuer).rstrip("/")
    if issuer != plain and not (closing_slash and issuer == plain + "/"):
        raise ConfigurationError(f"The issuer {shown(issuer)} is not in its plain form: write {shown(plain)}")
    return issuer


def check_https_url(url: str, what: str = "The URL") -> str:
    """``url``, if it is an https URL (http for loopback alone) without userinfo and fragment.

    what: names the setting in the message. Raises ConfigurationError.
    """
    try:
        normal = uri.normalize(url)
    except VerificationError:
        raise ConfigurationError(f"{what} {shown(url)} must be a URL such as https://auth.example.com") from None
    if "#" in url or len(url) > _MAX_LENGTH:
        raise ConfigurationError(f"{what} {shown(url)} must be a short URL without a fragment.")
    if normal.startswith("http:") and _LOOPBACK.match(normal) is None:
        raise ConfigurationError(f"{what} {shown(url)} must begin with https://; http is for loopback only.")
    return url


def _origin_and_path(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
