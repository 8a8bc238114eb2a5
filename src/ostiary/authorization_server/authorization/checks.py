"""The checks of an authorization request, as a table and one by one; see ``request``."""

from __future__ import annotations

import re
from typing import NoReturn

from ostiary.authorization_server import scope
from ostiary.authorization_server.authorization import claims_request
from ostiary.authorization_server.authorization.id_token_hint import subject_of_hint
from ostiary.authorization_server.authorization.request import OPENID_SCOPES, AuthorizationRequest, Check, Told
from ostiary.errors import OAuthError, VerificationError
from ostiary.model.api import Api
from ostiary.protocol import pkce, redirect_uri
from ostiary.protocol.checks import shown
from ostiary.user_authentication import acr

MAX_LENGTH = 2048
"""Characters of one parameter, but for ``claims`` and ``id_token_hint``."""

_MAX_LENGTHS = {"claims": 8192, "id_token_hint": 8192}
_PROMPTS = frozenset(("none", "login", "consent", "select_account"))
_DISPLAYS = frozenset(("page", "popup", "touch", "wap"))
_VSCHAR = re.compile(r"[\x20-\x7e]*")


async def client_exists(request: AuthorizationRequest) -> None:
    """RFC 6749 4.1.2.1: if "the client identifier is missing or invalid" nobody may be redirected."""
    client_id = request.parameters.get("client_id", "")
    client = await request.server.registry.client(client_id) if client_id else None
    if client is None or client.state != "active" or client.login is None:
        seen = "nothing" if not client_id else shown(client_id)
        _refuse("client", "the application is not known here", seen=seen, expected="an active client with users")
    request.client, request.login = client, client.login


async def redirect_uri_is_registered(request: AuthorizationRequest) -> None:
    """RFC 9700 4.1.3: compared character by character; it may be left out only where there is no choice."""
    registered = request.login.redirect_uris
    presented = request.parameters.get("redirect_uri")
    if presented is None and len(registered) == 1 and "openid" not in request.parameters.get("scope", "").split():
        presented = registered[0]
    native = request.login.application_type == "native"
    if presented is None or not redirect_uri.is_registered(presented, registered, native=native):
        _refuse(
            "redirect_uri",
            "the application asked to be answered at an address that it has not registered",
            seen=shown(presented or "no redirect_uri"),
            expected=shown(" or ".join(registered) or "a registered redirect URI"),
            mend=f"ostiary client change {request.client.client_id} --redirect-uri ...",
        )
    request.redirect_uri = presented


async def parameters_are_bounded(request: AuthorizationRequest) -> None:
    """Each parameter has a bound, and ``state`` the characters that RFC 6749 appendix A.5 gives it."""
    state = request.parameters.get("state")
    if state is not None and len(state) <= MAX_LENGTH and _VSCHAR.fullmatch(state):
        request.state = state
    elif state is not None:
        _refuse("state", "state is too long or holds characters that it may not hold", seen=shown(state))
    for name, value in request.parameters.items():
        if len(value) > _MAX_LENGTHS.get(name, MAX_LENGTH):
            _refuse(name, f"{name} is too long", seen=f"{len(value)} characters")
    if len(request.resources) > 16 or any(len(resource) > MAX_LENGTH for resource in request.resources):
        _refuse("resource", "too many or too long resources", code="invalid_target")


async def response_mode_is_known(request: AuthorizationRequest) -> None:
    """OAuth 2.0 Multiple Response Types 2.1; a fragment would hand the code to scripts."""
    mode = request.parameters.get("response_mode", "query")
    if mode not in ("query", "form_post"):
        _refuse("response_mode", "this response mode is not supported", seen=shown(mode), expected="query or form_post")
    request.response_mode = mode


async def no_request_object(request: AuthorizationRequest) -> None:
    """OpenID Connect Core 3.1.2.6: what is not supported is refused by its own code, never passed over."""
    for name in ("request", "request_uri", "registration"):
        if name in request.parameters:
            _refuse(name, f"{name} is not supported", code=f"{name}_not_supported")


async def response_type_is_code(request: AuthorizationRequest) -> None:
    """RFC 9700 2.1.2: no token is issued in an authorization response."""
    response_type = request.parameters.get("response_type")
    if response_type is None:
        _refuse("response_type", "response_type is missing", expected="code")
    if response_type != "code":
        _refuse(
            "response_type",
            "only the response type code is supported",
            code="unsupported_response_type",
            seen=shown(response_type),
            expected="code",
        )


async def client_may_use_codes(request: AuthorizationRequest) -> None:
    """RFC 6749 4.1.2.1, unauthorized_client."""
    if "authorization_code" not in request.client.grant_types:
        _refuse(
            "grant_type",
            "this client may not use authorization codes",
            code="unauthorized_client",
            expected="authorization_code",
        )


async def scopes_and_resources_are_allowed(request: AuthorizationRequest) -> None:
    """RFC 6749 3.3, RFC 8707 2: each scope at an API that this client may use, or one of OpenID Connect's own."""
    asked = request.parameters.get("scope")
    names = scope.names(asked) if asked is not None else ()
    openid = tuple(name for name in names if name in OPENID_SCOPES)
    others = tuple(name for name in names if name not in OPENID_SCOPES)
    apis = await _apis(request, others, everything=asked is None)
    scopes: dict[str, tuple[str, ...]] = {"": openid} if openid else {}
    for api in apis:
        possible = scope.allowed(request.client, api)
        scopes[api.identifier] = possible if asked is None else tuple(name for name in others if name in possible)
    beyond = [name for name in others if not any(name in held for held in scopes.values())]
    if beyond or not any(scopes.values()):
        _refuse(
            "scope",
            "a scope is beyond what this application may ask for",
            code="invalid_scope",
            seen=shown(asked or "no scope"),
            expected="scopes that both the client and the API have",
            mend=f"ostiary client change {request.client.client_id} --grant IDENTIFIER=scope",
        )
    request.apis, request.scopes = apis, scopes


async def _apis(request: AuthorizationRequest, others: tuple[str, ...], *, everything: bool) -> list[Api]:
    client, registry = request.client, request.server.registry
    wanted = list(dict.fromkeys(request.resources))
    if not wanted and (others or everything):
        wanted = [name for name, scopes in client.scopes.items() if everything or set(others) & set(scopes)]
        if len(wanted) > 1:
            _refuse(
                "resource", "name the API that this is for", code="invalid_target", expected=shown(" or ".join(wanted))
            )
    apis = []
    for identifier in wanted:
        api = await registry.api(identifier) if identifier in client.scopes else None
        if api is None or api.state != "active":
            _refuse(
                "resource",
                "a resource is not one that this application may use",
                code="invalid_target",
                seen=shown(identifier),
                expected=shown(" or ".join(client.scopes) or "no API is allowed to this client"),
            )
        apis.append(api)
    return apis


async def pkce_is_used(request: AuthorizationRequest) -> None:
    """RFC 9700 2.1.1: "public clients MUST use PKCE"; confidential ones too, unless the operator exempted them."""
    code_challenge = request.parameters.get("code_challenge")
    method = request.parameters.get("code_challenge_method")
    if code_challenge is None and method is None and not request.login.require_pkce and request.is_confidential:
        return
    if code_challenge is None:
        _refuse("pkce", "code_challenge is missing", expected="code_challenge and code_challenge_method=S256")
    # RFC 7636 4.3: a missing method means "plain", which is refused.
    if method != pkce.S256:
        _refuse(
            "pkce",
            "code_challenge_method must be S256",
            seen=shown(method or "none: that means plain"),
            expected="S256",
        )
    if not pkce.is_challenge(code_challenge):
        _refuse("pkce", "code_challenge is malformed", expected="43 characters of base64url")


async def nonce_without_pkce(request: AuthorizationRequest) -> None:
    """RFC 9700 2.1.1: "For confidential OpenID Connect clients ... MAY use the nonce parameter" instead of PKCE."""
    if "code_challenge" in request.parameters:
        return
    if not request.is_openid or not request.parameters.get("nonce"):
        _refuse("nonce", "without PKCE a nonce and the scope openid are needed", expected="nonce, scope openid")


async def prompt_is_consistent(request: AuthorizationRequest) -> None:
    """OpenID Connect Core 3.1.2.1: "If this parameter contains none with any other value, an error is returned"."""
    prompt = frozenset(request.parameters.get("prompt", "").split())
    if not prompt <= _PROMPTS or ("none" in prompt and len(prompt) > 1):
        _refuse(
            "prompt",
            "prompt is unknown or contradicts itself",
            seen=shown(" ".join(sorted(prompt))),
            expected="none alone, or login, consent, select_account",
        )
    if request.parameters.get("display", "page") not in _DISPLAYS:
        _refuse("display", "display is unknown", expected="page, popup, touch or wap")
    request.prompt = prompt


async def max_age_is_a_number(request: AuthorizationRequest) -> None:
    """OpenID Connect Core 3.1.2.1: seconds since the last active authentication."""
    text = request.parameters.get("max_age")
    if text is None:
        return
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        _refuse("max_age", "max_age is no number of seconds", seen=shown(text))
    request.max_age = int(text)


async def claims_are_understood(request: AuthorizationRequest) -> None:
    """OpenID Connect Core 5.5; ``acr_values`` (3.1.2.1), and ``acr`` and ``sub`` asked for as claims (5.5.1.1)."""
    request.acr_values = tuple(request.parameters.get("acr_values", "").split())
    text = request.parameters.get("claims")
    if text is not None:
        asked = claims_request.parse(text)
        request.claims = asked.places
        request.subject = asked.subject
        if asked.acr_values:
            request.acr_values, request.acr_essential = asked.acr_values, asked.acr_essential
    if any(value in acr.LEVELS for value in request.acr_values):
        # RFC 9470 5: a level that we know and cannot reach is refused, so that a step-up never ends in a circle.
        request.acr_essential = True


async def id_token_hint_is_ours(request: AuthorizationRequest) -> None:
    """OpenID Connect Core 3.1.2.1: who is expected to be signed in."""
    hint = request.parameters.get("id_token_hint")
    if hint is None:
        return
    try:
        subject = subject_of_hint(request.server, hint, request.client.client_id)
    except VerificationError as error:
        _refuse("id_token_hint", "id_token_hint is no ID token of this client", seen=error.seen)
    if request.subject not in (None, subject):
        _refuse("id_token_hint", "id_token_hint and claims name different users")
    request.subject = subject


def _refuse(
    check: str, public: str, *, code: str = "invalid_request", seen: str = "", expected: str = "", mend: str = ""
) -> NoReturn:
    raise OAuthError(code, public, check=check, seen=seen, expected=expected, mend=mend)


# fmt: off
CHECKS: tuple[tuple[Check, Told], ...] = (
    # check                             who is told
    (client_exists,                     "person"),
    (redirect_uri_is_registered,        "person"),
    (parameters_are_bounded,            "client"),
    (response_mode_is_known,            "client"),
    (no_request_object,                 "client"),
    (response_type_is_code,             "client"),
    (client_may_use_codes,              "client"),
    (scopes_and_resources_are_allowed,  "client"),
    (pkce_is_used,                      "client"),
    (nonce_without_pkce,                "client"),
    (prompt_is_consistent,              "client"),
    (max_age_is_a_number,               "client"),
    (claims_are_understood,             "client"),
    (id_token_hint_is_ours,             "client"),
)
# fmt: on
