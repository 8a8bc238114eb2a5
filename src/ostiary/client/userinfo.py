"""Who the user is, from the userinfo endpoint: OpenID Connect Core 1.0 sections 5.3.2 and 5.3.4."""

from __future__ import annotations

from collections.abc import Mapping

from ostiary.client import answers
from ostiary.client.discovery import endpoint
from ostiary.client.exchange import Answer, Exchange, Question
from ostiary.client.known_issuer import KnownIssuer
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import jws
from ostiary.protocol.checks import SUBJECT, shown


def ask(issuer: KnownIssuer, client_id: str, subject: str | None, access_token: str) -> Exchange[dict[str, object]]:
    """The claims of the user ``subject``, plain or signed by the issuer for ``client_id``.

    Raises VerificationError("subject") for those of somebody else; TokenRequestRefused, Unavailable,
    VerificationError, ConfigurationError.
    """
    if subject is None:
        raise ConfigurationError("Who the user is was not asked for: begin the sign-in with the scope openid.")
    metadata = yield from issuer.metadata()
    bearer = {"Authorization": f"Bearer {access_token}"}
    question = Question(endpoint(metadata, "userinfo_endpoint"), "userinfo endpoint", headers=bearer)
    answer = yield question
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/jwt":
        members: Mapping[str, object] = yield from _signed(issuer, client_id, question, answer)
    else:
        members = answers.read_object(question, answer)
    # "The sub Claim in the UserInfo Response MUST be verified to exactly match the sub Claim in the ID Token; if they
    # do not match, the UserInfo Response values MUST NOT be used." Core 5.3.2
    if members.get("sub") != subject:
        raise VerificationError(
            SUBJECT, "userinfo of another user", seen=shown(members.get("sub")), expected=shown(subject)
        )
    return dict(members)


def _signed(issuer: KnownIssuer, client_id: str, question: Question, answer: Answer) -> Exchange[dict[str, object]]:
    answers.require_success(question, answer)
    parsed = jws.parse(answer.body)
    key = yield from issuer.key(parsed.header.kid)
    jws.verify(parsed, key)
    members = parsed.claims()
    # Core 5.3.2: "If signed, the UserInfo Response MUST contain the Claims iss (issuer) and aud (audience) as members."
    common.check_issuer(members, issuer.issuer, None)
    common.check_audience(common.audiences(members), client_id, None)
    return members
