"""Finding an authorization server's endpoints from its issuer: RFC 8414 section 3, OpenID Connect Discovery 1.0."""

from __future__ import annotations

from ostiary.client import answers
from ostiary.client.exchange import Exchange, Question
from ostiary.client.origins import is_safe
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol.checks import shown
from ostiary.protocol.metadata import (
    AuthorizationServerMetadata,
    check_issuer_url,
    parse_authorization_server,
    well_known_urls,
)


def discover(issuer: str) -> Exchange[AuthorizationServerMetadata]:
    """The metadata of ``issuer``, found at the first of its well-known places that has any.

    Raises VerificationError("issuer") for metadata of another issuer, VerificationError("format", "answer",
    "redirect"), Unavailable, or ConfigurationError where ``issuer`` has no metadata at all.
    """
    for url in well_known_urls(check_issuer_url(issuer)):
        question = Question(url, "metadata of the authorization server")
        answer = yield question
        if answer.status == 404:
            continue
        answers.require_success(question, answer)
        # "If these values are not identical, the data contained in the response MUST NOT be used." RFC 8414 section 3.3
        return parse_authorization_server(answer.body, issuer)
    raise ConfigurationError(f"{issuer} publishes no authorization server metadata; check the issuer's spelling.")


def endpoint(metadata: AuthorizationServerMetadata, name: str, *, mutual_tls: bool = False) -> str:
    """The URL of the endpoint whose metadata name is ``name``, such as ``"token_endpoint"``.

    mutual_tls: for a client that shows a certificate. "A client intending to do mutual TLS ... when making a request
    directly to the authorization server MUST use the alias URL of the endpoint within the mtls_endpoint_aliases, when
    present, in preference to the endpoint URL of the same name at the top level of metadata" (RFC 8705 section 5).
    Raises ConfigurationError if the server has none, VerificationError("transport") for one without TLS; plain http
    is for an issuer that is itself on loopback.
    """
    aliases = (metadata.mtls_endpoint_aliases or {}) if mutual_tls else {}
    url = aliases.get(name) or getattr(metadata, name)
    if not url:
        raise ConfigurationError(f"{metadata.issuer} publishes no {name}: that server cannot do this.")
    if not url.startswith("https://") and not (metadata.issuer.startswith("http://") and is_safe(url)):
        raise VerificationError(
            "transport",
            f"the {name} is not reached over TLS",
            seen=shown(url),
            expected="https, or http on loopback where the issuer is there too",
            mend="do not use this server",
        )
    return str(url)
