"""Which API answers at an origin, as the API itself says: RFC 9728 sections 3.1 and 3.3."""

from __future__ import annotations

import msgspec

from ostiary.client import answers
from ostiary.client.exchange import Exchange, Question
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import strict_json
from ostiary.protocol.checks import shown
from ostiary.protocol.metadata import ProtectedResourceMetadata, protected_resource_url

_NAME_IT = "name the API: resource="


def find_resource(origin: str, issuer: str) -> Exchange[str]:
    """The identifier of the API at ``origin``, if that API takes tokens of ``issuer``.

    What the API says chooses no authorization server: credentials go to the configured ``issuer`` alone, and an API can
    only name itself, so that it cannot ask for a token that is good elsewhere.
    Raises ConfigurationError that names the mend, VerificationError, Unavailable.
    """
    question = Question(protected_resource_url(origin), "metadata of the API")
    answer = yield question
    if answer.status == 404:
        raise ConfigurationError(f"{origin} does not say which API it is; {_NAME_IT}")
    answers.require_success(question, answer)
    metadata = _parse(question, answer.body)
    # "The 'resource' value returned MUST be identical to the protected resource's resource identifier value into
    # which the well-known URI path suffix was inserted" RFC 9728 section 3.3
    if metadata.resource not in (origin, origin + "/"):
        raise VerificationError(
            "resource",
            "the API's metadata names another API",
            seen=shown(metadata.resource),
            expected=origin,
            mend=_NAME_IT,
        )
    if issuer not in (metadata.authorization_servers or [issuer]):
        raise ConfigurationError(f"{origin} does not take tokens of {issuer}; use a client of a server that it trusts.")
    return metadata.resource


def _parse(question: Question, body: bytes) -> ProtectedResourceMetadata:
    try:
        return msgspec.convert(strict_json.decode_object(body), ProtectedResourceMetadata)
    except (msgspec.ValidationError, VerificationError):
        raise answers.unusable(question, "not metadata of an API", "JSON as in RFC 9728", mend=_NAME_IT) from None
