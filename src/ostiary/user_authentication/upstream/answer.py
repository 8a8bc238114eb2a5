"""What comes back from the provider: the answer in the browser, the code for tokens, the ID token, userinfo."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote_plus

from ostiary.authorization_server.identifiers import new_jti
from ostiary.errors import Unavailable, VerificationError
from ostiary.protocol import claims as common
from ostiary.protocol import client_assertion, id_token, jwk, jws, strict_json
from ostiary.protocol.checks import ISSUER, SUBJECT, shown
from ostiary.protocol.id_token import Expected
from ostiary.protocol.metadata import AuthorizationServerMetadata
from ostiary.secret_files import read_secret_file
from ostiary.settings.upstream import UpstreamSettings
from ostiary.user_authentication.upstream import state as states
from ostiary.user_authentication.upstream.request import providers, redirect_uri, settings_of
from ostiary.user_authentication.upstream.state import State

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

ANSWER: Final = "upstream_answer"
DENIED: Final = "upstream_denied"
AUTH_TIME: Final = "auth_time"
_LEEWAY = 10


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider names: ``issuer`` and ``subject`` together. claims: of the ID token."""

    issuer: str
    subject: str
    claims: dict[str, object] = field(repr=False)
    access_token: str = field(repr=False)

    @property
    def lookup(self) -> str:
        """By which its factor is found; an issuer holds no space."""
        return f"{self.issuer} {self.subject}"


async def check_issuer(server: AuthorizationServer, state: State, parameters: Mapping[str, str]) -> None:
    """``iss`` of the answer must be the provider's; it must be there if the provider says that it sends it.

    "clients MUST extract the value of the iss parameter from authorization responses they receive if the parameter is
    present. ... If the value does not match the expected issuer identifier, clients MUST reject the authorization
    response"; error answers as well. RFC 9207 section 2.4. Raises VerificationError, Unavailable.
    """
    settings = settings_of(server, state.upstream)
    issuer = parameters.get("iss")
    promised = (await providers(server).metadata(settings)).authorization_response_iss_parameter_supported
    if issuer != settings.issuer and (issuer is not None or promised):
        raise VerificationError(
            ISSUER, "the answer is another provider's", seen=shown(issuer), expected=settings.issuer
        )


async def identity(server: AuthorizationServer, state: State, parameters: Mapping[str, str]) -> Identity:
    """Who has signed in at the provider. ``check_issuer`` was asked before.

    Raises VerificationError: the provider refused, or a check of what it sent failed; Unavailable.
    """
    if "error" in parameters:
        check = DENIED if parameters["error"] == "access_denied" else ANSWER
        raise VerificationError(check, "the provider refused the sign-in", seen=shown(parameters["error"]))
    code = parameters.get("code")
    if code is None:
        raise VerificationError(ANSWER, "the answer of the provider is not whole", seen="no code", expected="a code")
    settings = settings_of(server, state.upstream)
    metadata = await providers(server).metadata(settings)
    tokens = await _tokens(server, settings, metadata, state, code)
    parsed = jws.parse(_text(tokens, "id_token"))
    access_token = _text(tokens, "access_token")
    claims = id_token.verify(
        parsed,
        await providers(server).key(settings, parsed.header),
        Expected(settings.issuer, settings.client_id, states.nonce(server, state), access_token),
        now=server.clock(),
    )
    _check_age(state, claims, server.clock())
    return Identity(settings.issuer, str(claims["sub"]), claims, access_token)


async def userinfo(server: AuthorizationServer, settings: UpstreamSettings, who: Identity) -> dict[str, object]:
    """The claims of the userinfo endpoint, {} if there is none. Raises VerificationError, Unavailable.

    "The sub Claim in the UserInfo Response MUST be verified to exactly match the sub Claim in the ID Token; if they do
    not match, the UserInfo Response values MUST NOT be used." OpenID Connect Core 5.3.2.
    """
    endpoint = (await providers(server).metadata(settings)).userinfo_endpoint
    if endpoint is None:
        return {}
    answer = await providers(server).ask(endpoint, authorization=f"Bearer {who.access_token}")
    if answer.status != 200:
        raise Unavailable("upstream", f"the userinfo endpoint answered {answer.status}")
    claims = strict_json.decode_object(answer.body)
    if claims.get("sub") != who.subject:
        raise VerificationError(
            SUBJECT, "userinfo is about somebody else", seen=shown(claims.get("sub")), expected=shown(who.subject)
        )
    return claims


async def _tokens(
    server: AuthorizationServer,
    settings: UpstreamSettings,
    metadata: AuthorizationServerMetadata,
    state: State,
    code: str,
) -> dict[str, object]:
    if metadata.token_endpoint is None:
        raise Unavailable("upstream", f"the metadata of {settings.issuer} names no token_endpoint")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(server, state.upstream),
        "code_verifier": states.verifier(server, state),
    }
    proof, authorization = client_proof(settings, server.clock())
    answer = await providers(server).ask(metadata.token_endpoint, form=form | proof, authorization=authorization)
    if answer.status >= 500:
        raise Unavailable("upstream", f"the token endpoint answered {answer.status}")
    tokens = strict_json.decode_object(answer.body)
    if answer.status != 200:
        raise VerificationError(
            ANSWER,
            "the provider did not take the sign-in",
            seen=f"{answer.status} {shown(tokens.get('error'))}",
            expected="200 with tokens",
            mend=f"check client_id and secret of upstream.{state.upstream}, and the redirect URI registered there: "
            + redirect_uri(server, state.upstream),
        )
    if str(tokens.get("token_type", "")).lower() != "bearer":
        raise VerificationError(
            ANSWER, "another type of token", seen=shown(tokens.get("token_type")), expected="Bearer"
        )
    return tokens


def client_proof(settings: UpstreamSettings, now: float) -> tuple[dict[str, str], str]:
    """How we prove ourselves at the token endpoint: form parameters, and the header Authorization."""
    if settings.private_key_file is not None:
        key = jwk.parse_private_key(read_secret_file(settings.private_key_file))
        payload = client_assertion.build(settings.client_id, settings.issuer, now=now, jti=new_jti(now))
        assertion = jws.sign(payload, key, typ=client_assertion.TYP)
        named = {"client_assertion_type": client_assertion.ASSERTION_TYPE, "client_assertion": assertion}
        return {"client_id": settings.client_id, **named}, ""
    secret = _secret(settings)
    if settings.secret_method == "client_secret_post":
        return {"client_id": settings.client_id, "client_secret": secret}, ""
    # RFC 6749 2.3.1: both are form-encoded first.
    pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}".encode()
    return {}, f"Basic {base64.b64encode(pair).decode()}"


def _secret(settings: UpstreamSettings) -> str:
    if settings.client_secret is not None:
        return settings.client_secret.get_secret_value()
    if settings.client_secret_file is None:
        raise Unavailable("upstream", "there is no client secret")
    return read_secret_file(settings.client_secret_file).decode("utf-8").strip()


def _text(tokens: dict[str, object], name: str) -> str:
    return common.text(tokens, name, check=ANSWER, max_length=jws.MAX_LENGTH)


def _check_age(state: State, claims: dict[str, object], now: float) -> None:
    """Core 3.1.2.1: with ``max_age`` "the ID Token returned MUST include an auth_time Claim Value"; it is compared."""
    if state.max_age is None:
        return
    signed_in = common.numeric_date(claims, "auth_time", AUTH_TIME)
    # With max_age=0 the sign-in must be later than the moment at which it was asked for.
    earliest = state.started_at if state.max_age == 0 else now - state.max_age
    if signed_in is None or signed_in < earliest - _LEEWAY:
        raise VerificationError(
            AUTH_TIME,
            "the provider did not ask for a fresh sign-in",
            seen=shown(signed_in),
            expected=f"auth_time from {earliest:.0f} on",
            mend="sign in another way; the provider must support max_age",
        )
