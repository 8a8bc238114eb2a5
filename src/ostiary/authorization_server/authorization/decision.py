"""What an authorization request needs next: a sign-in, a choice, a second factor, consent, or nothing more.

OpenID Connect Core 3.1.2.3 and 3.1.2.4, RFC 9470 section 5. Pure: what is known comes in, what is needed goes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from ostiary.authorization_server.authorization.request import AuthorizationRequest
from ostiary.authorization_server.browser.interaction import Interaction
from ostiary.errors import OAuthError
from ostiary.model.consent import Consent
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.user_authentication import acr


class Need(Enum):
    """A page to show before the request can be answered."""

    SIGN_IN = "sign in"
    CHOICE = "choose an account"
    SECOND_FACTOR = "prove a second factor"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who is signed in here. subject: their ``sub`` at the client. reach: the highest level they can prove."""

    session: Session
    user: User
    subject: str
    reach: str


@dataclass(frozen=True, slots=True)
class Decision:
    """need: None if the request can be answered for ``account``. account: None as long as nobody is chosen."""

    need: Need | None
    account: Account | None = None


def decide(
    request: AuthorizationRequest, interaction: Interaction, accounts: Sequence[Account], now: float
) -> Decision:
    """Who it is for and what is missing, consent left aside. Raises OAuthError where no page may be shown or helps."""
    account = _chosen(request, interaction, accounts)
    if account is None and interaction.signed_in_at and request.subject is not None:
        _another_user(request)
    if account is None:
        need = Need.CHOICE if _must_choose(request, accounts) else Need.SIGN_IN
        if "none" in request.prompt:
            _need_a_person("account_selection_required" if need is Need.CHOICE else "login_required")
        return Decision(need)
    if _must_sign_in_again(request, interaction, account.session, now):
        if "none" in request.prompt:
            _need_a_person("login_required")
        return Decision(Need.SIGN_IN, account)
    if not acr.satisfies(account.session.acr, _wanted_levels(request)):
        if acr.satisfies(account.reach, _wanted_levels(request)):
            if "none" in request.prompt:
                _need_a_person("login_required")
            return Decision(Need.SECOND_FACTOR, account)
        _unreachable(account)
    return Decision(None, account)


def missing_consent(request: AuthorizationRequest, consents: Sequence[Consent]) -> Mapping[str, tuple[str, ...]]:
    """The scopes, by API, that the user must be asked about; empty if nothing must be asked.

    "the authorization server ... MUST NOT process repeated authorization requests automatically (without active
    resource owner interaction) without ensuring the identity of the client" (RFC 6819 5.2.4.1; RFC 8252 8.6).
    """
    if "consent" in request.prompt or not is_assured(request):
        return request.scopes
    if request.login.first_party:
        return {}
    held = {consent.resource: set(consent.scopes) for consent in consents}
    lacking = {
        resource: tuple(name for name in names if name not in held.get(resource, ()))
        for resource, names in request.scopes.items()
    }
    return {resource: names for resource, names in lacking.items() if names}


def is_assured(request: AuthorizationRequest) -> bool:
    """Whether the client is who it says: it proves itself by a key or a secret, or its https address is its own."""
    return request.is_confidential or request.redirect_uri.startswith("https://")


def _chosen(request: AuthorizationRequest, interaction: Interaction, accounts: Sequence[Account]) -> Account | None:
    fitting = [account for account in accounts if request.subject in (None, account.subject)]
    for account in fitting:
        if account.session.session_id == interaction.session_id:
            return account
    # An account that was chosen and is gone is not replaced by another one without a word.
    if interaction.session_id or ("select_account" in request.prompt and accounts):
        return None
    hint = request.parameters.get("login_hint", "").casefold()
    if hint:
        named = [one for one in fitting if hint in (one.user.username.casefold(), one.user.email.casefold())]
        return named[0] if named else None
    return fitting[0] if len(fitting) == 1 else None


def _must_choose(request: AuthorizationRequest, accounts: Sequence[Account]) -> bool:
    if request.subject is not None or "login" in request.prompt:
        return False
    if "select_account" in request.prompt:
        return bool(accounts)
    return len(accounts) > 1 and not request.parameters.get("login_hint")


def _must_sign_in_again(request: AuthorizationRequest, interaction: Interaction, session: Session, now: float) -> bool:
    # A sign-in on these very pages is fresh, however short max_age is.
    if interaction.signed_in_at and session.auth_time >= interaction.started_at:
        return False
    if "login" in request.prompt:
        return True
    return request.max_age is not None and session.auth_time + request.max_age < now


def _wanted_levels(request: AuthorizationRequest) -> tuple[str, ...]:
    # Levels that only others know cannot be reached on purpose; they count if they are essential.
    return request.acr_values if request.acr_essential else ()


def _need_a_person(code: str) -> NoReturn:
    raise OAuthError(
        code,
        "the user must take part, and prompt=none forbids it",
        check="prompt",
        seen="none",
        expected=code,
        mend="send the user again without prompt=none",
    )


def _another_user(request: AuthorizationRequest) -> NoReturn:
    # OpenID Connect Core 3.1.2.1, id_token_hint: "If the End-User identified by the ID Token is logged in ... returns a
    # positive response; otherwise, it SHOULD return an error, such as login_required."
    raise OAuthError(
        "login_required",
        "another user signed in than the application asked for",
        check="subject",
        seen="another user",
        expected=request.subject or "",
    )


def _unreachable(account: Account) -> NoReturn:
    raise OAuthError(
        "unmet_authentication_requirements",
        "this user cannot sign in as strongly as was asked for",
        check="acr",
        seen=account.reach,
        expected="a factor that reaches the level",
        mend="let the user add a second factor or a passkey on the account page",
    )
