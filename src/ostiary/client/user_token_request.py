"""From a code or a refresh token to a user's tokens: RFC 6749 sections 4.1.3 and 6, OpenID Connect Core 3.1.3, 12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ostiary.client import answers
from ostiary.client.authorization_request import PendingAuthorization
from ostiary.client.client_authentication import ClientAuthentication, check_method
from ostiary.client.discovery import endpoint
from ostiary.client.errors import SignInRequired, TokenRequestRefused
from ostiary.client.exchange import Exchange, Question
from ostiary.client.known_issuer import KnownIssuer
from ostiary.client.token_request import MAX_TOKEN_LENGTH, parse_token
from ostiary.client.user_tokens import UserTokens
from ostiary.errors import Unavailable, VerificationError
from ostiary.protocol import id_token, jws
from ostiary.protocol.checks import AUTH_TIME, NONCE, SUBJECT, shown
from ostiary.protocol.id_token import Expected


def redeem(
    issuer: KnownIssuer,
    authentication: ClientAuthentication,
    pending: PendingAuthorization,
    code: str,
    clock: Callable[[], float],
) -> Exchange[UserTokens]:
    """The tokens for ``code``, the ID token verified against ``pending``. Raises as ``answers.read_object`` does.

    The code goes to the token endpoint of ``pending.issuer`` alone, which ``issuer`` and ``authentication`` are of.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": pending.redirect_uri,
        "code_verifier": pending.code_verifier,
        **_resource(pending.resource, openid=pending.is_openid),
    }
    asked_at = clock()
    question, members = yield from _ask(issuer, authentication, form)
    access = parse_token(question, members, asked_at=asked_at)
    expected = Expected(
        issuer=pending.issuer,
        client_id=pending.client_id,
        nonce=pending.nonce,
        access_token=access.value,
        max_age=pending.max_age,
        asked_at=pending.created_at,
        acr_values=pending.acr_values,
    )
    text = _text(question, members, "id_token")
    if pending.is_openid and text is None:
        raise answers.unusable(question, "no id_token", "an ID token (OpenID Connect Core 3.1.3.3)")
    claims = {} if text is None else (yield from _verified(issuer, text, expected, clock()))
    return UserTokens(
        issuer=pending.issuer,
        client_id=pending.client_id,
        resource=pending.resource,
        # "OPTIONAL, if identical to the scope requested by the client" RFC 6749 section 5.1
        scope=pending.scope if access.scope is None else access.scope,
        access=access,
        asked_scope=pending.scope,
        refresh_token=_text(question, members, "refresh_token"),
        id_token=text,
        claims=claims,
    )


def refresh(
    issuer: KnownIssuer,
    authentication: ClientAuthentication,
    tokens: UserTokens,
    clock: Callable[[], float],
    keep: Callable[[UserTokens], object],
) -> Exchange[UserTokens]:
    """New tokens for the same user. Raises SignInRequired where the grant has ended, else as ``redeem`` does.

    keep: called, before the answer is looked at more closely, with ``tokens`` and the refresh token that counts now;
    whatever is raised after that, the next refresh is to use this one.
    """
    if tokens.refresh_token is None:
        raise SignInRequired("there is no refresh token")
    openid = tokens.id_token is not None
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
    asked_at = clock()
    try:
        question, members = yield from _ask(issuer, authentication, form | _resource(tokens.resource, openid=openid))
    except TokenRequestRefused as error:
        if error.code == "invalid_grant":
            raise SignInRequired(error.description, error.trace) from error
        raise
    # "The authorization server MAY issue a new refresh token, in which case the client MUST discard the old refresh
    # token and replace it with the new refresh token." RFC 6749 section 6
    successor = replace(tokens, refresh_token=_text(question, members, "refresh_token") or tokens.refresh_token)
    keep(successor)
    access = parse_token(question, members, asked_at=asked_at)
    renewed = replace(successor, access=access, scope=tokens.scope if access.scope is None else access.scope)
    text = _text(question, members, "id_token")
    if text is None:
        return renewed
    expected = Expected(tokens.issuer, tokens.client_id, None, access.value)
    try:
        claims = yield from _verified(issuer, text, expected, clock())
    except Unavailable:
        # The keys cannot be had now; who the user is, is known from the ID token before.
        return renewed
    _check_same_sign_in(claims, tokens.claims)
    return replace(renewed, id_token=text, claims=claims)


def _ask(
    issuer: KnownIssuer, authentication: ClientAuthentication, form: Mapping[str, str]
) -> Exchange[tuple[Question, dict[str, object]]]:
    metadata = yield from issuer.metadata()
    check_method(metadata, authentication)
    question = Question(
        endpoint(metadata, "token_endpoint"),
        "token endpoint",
        {**form, **authentication.parameters()},
        authentication.headers(),
    )
    return question, answers.read_object(question, (yield question))


def _resource(resource: str | None, *, openid: bool) -> dict[str, str]:
    # A token that is asked for by resource bears that API's scopes alone. Without it, the one resource of the
    # authorization request counts (RFC 8707 section 2.2), and the token is good at the userinfo endpoint too.
    return {} if resource is None or openid else {"resource": resource}


def _text(question: Question, members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TOKEN_LENGTH:
        raise answers.unusable(question, f"{name} is unusable", f"a text of at most {MAX_TOKEN_LENGTH} characters")
    return value


def _verified(issuer: KnownIssuer, text: str, expected: Expected, now: float) -> Exchange[dict[str, object]]:
    parsed = jws.parse(text)
    key = yield from issuer.key(parsed.header.kid)
    return id_token.verify(parsed, key, expected, now=now)


def _check_same_sign_in(claims: Mapping[str, object], before: Mapping[str, object]) -> None:
    """OpenID Connect Core 12.2: what an ID token of a refresh may not change of the first one."""
    for name, check in (("sub", SUBJECT), ("auth_time", AUTH_TIME), ("nonce", NONCE)):
        # "its sub Claim Value MUST be the same as in the ID Token issued when the original authentication occurred"
        if (name == "sub" or name in claims) and claims.get(name) != before.get(name):
            raise VerificationError(
                check,
                "the refreshed ID token is of another sign-in",
                seen=shown(claims.get(name)),
                expected=shown(before.get(name)),
            )
