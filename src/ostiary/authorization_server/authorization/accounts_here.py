"""Who is signed in in a browser, as an authorization request sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostiary.authorization_server.authorization.decision import Account
from ostiary.authorization_server.browser.cookies import BrowserSecrets
from ostiary.authorization_server.subjects import subject_for
from ostiary.model.client import Client
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import session as sessions
from ostiary.user_authentication.acr import ONE_FACTOR, PHISHING_RESISTANT, TWO_FACTORS

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer


@dataclass(frozen=True, slots=True)
class ShownAccount:
    """An account as the pages show it. name: of the person; detail: by which they sign in."""

    session_id: str
    name: str
    detail: str


def shown_account(session: Session, user: User) -> ShownAccount:
    """What a page shows of an account."""
    name = user.claims.get("name")
    detail = user.email or user.username
    return ShownAccount(session.session_id, name if isinstance(name, str) and name else user.username, detail)


async def accounts_here(
    server: AuthorizationServer, work: UnitOfWork, secrets: BrowserSecrets, client: Client, now: float
) -> list[Account]:
    """The accounts whose sessions in this browser stand, the latest sign-in first. now: seconds since the epoch."""
    found = []
    for session, user in await sessions.of_browser(work, secrets, now):
        subject = subject_for(server, user.user_id, client)
        found.append(Account(session, user, subject, await _reach(work, user.user_id, session.acr)))
    return found


async def _reach(work: UnitOfWork, user_id: str, present: str) -> str:
    kinds = {factor.kind for factor in await work.factors.of_user(user_id)}
    if "passkey" in kinds or present == PHISHING_RESISTANT:
        return PHISHING_RESISTANT
    return TWO_FACTORS if "totp" in kinds or present == TWO_FACTORS else ONE_FACTOR
