"""Whose an identity at a provider is: linked by its user, signed in, or made together with a new user.

Never found by e-mail: whoever controls an address at some provider would take over the account that bears it here.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.errors import ConfigurationError, VerificationError
from ostiary.model.factor import Factor
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.settings.upstream import UpstreamSettings
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import accounts, names, news
from ostiary.user_authentication import session as sessions
from ostiary.user_authentication.acr import ONE_FACTOR, acr_of
from ostiary.user_authentication.attempt import Proved
from ostiary.user_authentication.upstream.answer import Identity, userinfo
from ostiary.user_authentication.upstream.state import State

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

AMR: Final = ("fed",)
TAKEN: Final = "upstream_taken"
UNLINKED: Final = "upstream_unlinked"
SESSION: Final = "session"
_USERNAME = re.compile(r"[A-Za-z0-9._-]{2,64}")
# RFC 8176 section 2: what of an upstream amr has a meaning for acr here.
_KNOWN_AMR = frozenset(("pwd", "otp", "hwk", "swk", "user", "mfa", "kba"))


async def proof(server: AuthorizationServer, settings: UpstreamSettings, who: Identity, now: float) -> Proved:
    """That it is the user whom ``who`` is linked to. Raises VerificationError: it is linked to nobody."""
    async with server.storage.read() as work:
        factor = await work.factors.by_lookup("upstream", who.lookup)
    if factor is None and settings.create_users:
        factor = await _created(server, settings, who, now)
    if factor is None:
        raise VerificationError(
            UNLINKED,
            "this account is not linked to one here",
            seen=f"an identity of {settings.issuer} that nobody has linked",
            expected="one that its user has linked on their account page",
            mend="sign in another way and link it on the account page, or set create_users for this upstream",
        )
    return Proved(factor.user_id, _amr(settings, who), _Confirm(who.lookup, factor.factor_id, int(now)))


async def link(
    server: AuthorizationServer,
    settings: UpstreamSettings,
    who: Identity,
    state: State,
    browser: BrowserSecrets,
    act: Act,
) -> Session:
    """Link ``who`` to the user of the session that asked for it, in whose browser it must still stand.

    Raises VerificationError: that session is not this browser's any more, or the identity is somebody else's.
    """
    factor = _factor(settings, who, "", act.now)
    try:
        async with server.storage.write() as work:
            session = await _session(work, state, browser, act.now)
            user = await accounts.existing_user(work, session.user_id)
            present = await work.factors.by_lookup("upstream", who.lookup)
            if present is not None and present.user_id != user.user_id:
                raise _taken()
            if present is None:
                by_user = replace(act, actor=f"user:{user.user_id}")
                await accounts.add_factor(work, replace(factor, user_id=user.user_id), by_user)
                await news.factor(server, work, user, "factor_added", "upstream", act.now)
            return session
    except ConfigurationError:  # somebody else linked it at the same moment
        raise _taken() from None


class _Confirm:
    """The identity is still linked to this user."""

    def __init__(self, lookup: str, factor_id: str, now: int) -> None:
        self._lookup = lookup
        self._factor_id = factor_id
        self._now = now

    async def __call__(self, work: UnitOfWork) -> None:
        present = await work.factors.by_lookup("upstream", self._lookup)
        if present is None or present.factor_id != self._factor_id:
            raise VerificationError(UNLINKED, "this account is not linked to one here", seen="a link that was removed")
        await work.factors.touch(present.factor_id, self._now)


async def _session(work: UnitOfWork, state: State, browser: BrowserSecrets, now: float) -> Session:
    session = await sessions.standing(work, state.link_session, now)
    if session is None or session.digest != browser.session_digest:
        raise VerificationError(
            SESSION,
            "your session has ended",
            seen="the session that asked for the link is not this browser's",
            expected="the same user in the same browser",
            mend="sign in and begin again on the account page",
        )
    return session


async def _created(server: AuthorizationServer, settings: UpstreamSettings, who: Identity, now: float) -> Factor | None:
    told = who.claims | await userinfo(server, settings, who)
    act = Act("server", now, f"first sign-in by {settings.name}")
    try:
        async with server.storage.write() as work:
            present = await work.factors.by_lookup("upstream", who.lookup)
            if present is not None:
                return present
            user = await _new_user(work, told, act)
            return await accounts.add_factor(work, _factor(settings, who, user.user_id, now), act)
    except ConfigurationError:
        # The same person came twice at once: another process has made the user. In a write, which sees it.
        async with server.storage.write() as work:
            return await work.factors.by_lookup("upstream", who.lookup)


async def _new_user(work: UnitOfWork, told: dict[str, object], act: Act) -> User:
    """A user who bears what the provider says, but nothing by which somebody else could be taken for them.

    The address counts as not confirmed: it is the provider's word, and it may be another user's here.
    """
    name = told.get("preferred_username")
    if not isinstance(name, str) or not _USERNAME.fullmatch(name) or await work.users.by_name(names.username_key(name)):
        name = "user-" + secrets.token_hex(5)
    email = told.get("email")
    try:
        email = names.email(email) if isinstance(email, str) else ""
    except ValueError:
        email = ""
    shown = told.get("name")
    claims: dict[str, object] = {"name": shown} if isinstance(shown, str) and 0 < len(shown) <= 200 else {}
    return await accounts.create_user(work, username=name, email=email, claims=claims, act=act)


def _factor(settings: UpstreamSettings, who: Identity, user_id: str, now: float) -> Factor:
    made = accounts.new_factor(user_id, "upstream", settings.name, b"", now)
    return replace(made, lookup=who.lookup)


def _amr(settings: UpstreamSettings, who: Identity) -> tuple[str, ...]:
    """``fed``, and what the provider says of it where that by itself is more than one factor.

    A password there is how the one sign-in there was proved; beside ``fed`` it would count as a second.
    """
    told = who.claims.get("amr") if settings.trust_amr else None
    trusted = [one for one in told if isinstance(one, str) and one in _KNOWN_AMR] if isinstance(told, list) else []
    return AMR if acr_of(trusted) == ONE_FACTOR else (*AMR, *trusted)


def _taken() -> VerificationError:
    return VerificationError(
        TAKEN, "this account is linked to somebody else here", seen="an identity of another user", expected="a free one"
    )
