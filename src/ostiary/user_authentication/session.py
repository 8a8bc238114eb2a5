"""Sessions: begun at a sign-in with a new id and a new secret, found again by the browser's cookie, ended (ASVS 7)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

from ostiary.audit import tags
from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.errors import VerificationError
from ostiary.model.known_browser import KnownBrowser
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.settings.sections import SignInSettings
from ostiary.shared_signals import acts
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication.acr import acr_of, with_mfa

TOUCH_EVERY = 60
"""Seconds: how exact ``last_seen_at`` is kept, so that a page view is rarely a write."""

_BROWSER_LIFE = 365 * 86_400


@dataclass(frozen=True, slots=True)
class SignIn:
    """A user has proved themselves. digest, browser_digest: SHA-256 of the new session secret and of the browser's.

    old_digest: of the session secret that the browser came with. amr: the methods, RFC 8176. now: seconds since the
    epoch. address, device: of the browser, for its user. step_up: the methods come on top of those of the session that
    the user has in this browser, whose ``auth_time`` stays.
    """

    user_id: str
    amr: tuple[str, ...]
    digest: bytes
    old_digest: bytes
    browser_digest: bytes
    now: float
    address: str = ""
    device: str = ""
    step_up: bool = False


async def begin(work: UnitOfWork, settings: SignInSettings, sign_in: SignIn) -> tuple[Session, bool]:
    """The session, and whether its user was known in this browser.

    "Verify that the application generates a new session token on user authentication, including re-authentication, and
    terminates the current session token." ASVS 7.2.4. All accounts of the browser move to the new secret; an account
    that has a session there keeps it, so that its ``sid`` stays what its applications know. Raises VerificationError,
    before anything is written, where the session that was to be stepped up has ended.
    """
    now = int(sign_in.now)
    here = [one for one in await work.sessions.of_browser(sign_in.old_digest) if _is_here(one, sign_in)]
    present = [one for one in here if one.user_id == sign_in.user_id]
    before = next((one for one in present if one.stands(now)), None)
    session = _session(settings, sign_in, before)
    renewed = bool(session.session_id) and await work.sessions.renew(session)
    if sign_in.step_up and not renewed:
        # Its first methods were proved in a session that was ended, perhaps at this very moment.
        raise VerificationError("session", "your sign-in has ended", seen="no standing session", expected="one")
    if here:
        await work.sessions.move(sign_in.old_digest, sign_in.digest)
    if not renewed:
        session = replace(session, session_id=new_session_id(), created_at=now)
        await work.sessions.add(session)
    known = await work.sessions.known_browser(sign_in.user_id, sign_in.browser_digest)
    await work.sessions.remember_browser(
        KnownBrowser(sign_in.user_id, sign_in.browser_digest, now, now, now + _BROWSER_LIFE)
    )
    act = Act(f"user:{sign_in.user_id}", sign_in.now, personal={"address": sign_in.address} if sign_in.address else {})
    details = {"amr": " ".join(session.amr), "acr": session.acr}
    await work.audit.append(act.event(tags.SESSION_STARTED, session.session_id, **details))
    if renewed and before is not None and before.acr != session.acr:
        signal = acts.assurance_changed(session.user_id, session.session_id, before.acr, session.acr)
        await acts.tell(work, signal, actor=act.actor, now=act.now)
    return session, known is not None


def _is_here(session: Session, sign_in: SignIn) -> bool:
    """Whether the session was begun in this very browser: one whose secret somebody planted here is left alone."""
    return session.browser_digest == sign_in.browser_digest


def new_session_id() -> str:
    """A new public name of a session, 128 random bits."""
    return "ses_" + secrets.token_hex(16)


def _session(settings: SignInSettings, sign_in: SignIn, present: Session | None) -> Session:
    now = int(sign_in.now)
    before = present if sign_in.step_up else None
    # ASVS 7.3.2: the absolute end is put off by a whole sign-in alone.
    expires_at = before.expires_at if before else now + settings.session_life
    amr = with_mfa((*(before.amr if before else ()), *sign_in.amr))
    return Session(
        session_id=present.session_id if present else "",
        digest=sign_in.digest,
        browser_digest=sign_in.browser_digest,
        user_id=sign_in.user_id,
        amr=amr,
        acr=acr_of(amr),
        auth_time=before.auth_time if before else now,
        created_at=present.created_at if present else now,
        last_seen_at=now,
        idle_until=min(now + settings.session_idle, expires_at),
        expires_at=expires_at,
        device=sign_in.device,
        address=sign_in.address,
    )


async def of_browser(work: UnitOfWork, browser: BrowserSecrets, now: float) -> list[tuple[Session, User]]:
    """The sessions of a browser that stand, the latest sign-in first, each with its user, who is active."""
    if not browser.session:
        return []
    found = []
    for session in await work.sessions.of_browser(browser.session_digest):
        if session.stands(now):
            user = await work.users.get(session.user_id)
            if user is not None and user.state == "active":
                found.append((session, user))
    return found


async def standing(work: UnitOfWork, session_id: str, now: float) -> Session | None:
    """The session, if it stands. Whoever ends the sessions of a user holds the user: so it stands until the commit."""
    found = await work.sessions.get(session_id)
    if found is None or await work.users.hold(found.user_id) is None:
        return None
    held = await work.sessions.get(session_id)
    return held if held is not None and held.stands(now) else None


async def touch(work: UnitOfWork, settings: SignInSettings, session: Session, now: float) -> Session:
    """Put its idle end off, at most once a minute. The absolute end stays."""
    if now < session.last_seen_at + TOUCH_EVERY:
        return session
    idle_until = min(int(now) + settings.session_idle, session.expires_at)
    await work.sessions.touch(session.session_id, at=int(now), idle_until=idle_until)
    return replace(session, last_seen_at=int(now), idle_until=idle_until)
