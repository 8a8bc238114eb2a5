"""What people are told by e-mail: users of their account, owners of their clients; queued with what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ostiary.model.client_key import ClientKey
from ostiary.model.factor import FactorKind
from ostiary.model.session import Session
from ostiary.model.user import User
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import names
from ostiary.user_authentication.mail.letters import Letter, Template, language_of, queue

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

Change = Literal["factor_added", "factor_changed", "factor_removed"]


async def new_browser(server: AuthorizationServer, work: UnitOfWork, user: User, session: Session, now: float) -> None:
    """Tell the user that somebody, they or another, signed in with a browser that was not seen before (ASVS 6.3.5).

    Nothing is sent to an address that the user has not shown to be theirs.
    """
    context: dict[str, str | int] = {"device": session.device, "address": session.address, "at": int(now)}
    await _tell(server, work, user, "new_browser", context, now)


async def factor(
    server: AuthorizationServer, work: UnitOfWork, user: User, change: Change, kind: FactorKind, now: float
) -> None:
    """Tell the user that a way to sign in to their account was added, changed or removed (ASVS 6.3.7)."""
    await _tell(server, work, user, change, {"kind": kind, "at": int(now)}, now)


async def address_changed(server: AuthorizationServer, work: UnitOfWork, before: User, now: float) -> None:
    """Tell the user at the address that they had that it is another one now (ASVS 6.3.7)."""
    await _tell(server, work, before, "address_changed", {"at": int(now)}, now)


async def _tell(
    server: AuthorizationServer,
    work: UnitOfWork,
    user: User,
    template: Template,
    context: dict[str, str | int],
    now: float,
) -> None:
    if not server.settings.email.is_set_up or not user.email or not user.email_verified:
        return
    letter = Letter(
        to=user.email,
        template=template,
        context={"username": user.username, **context},
        language=language_of(server, user),
    )
    await queue(server, work, letter, now)


async def client_key(server: AuthorizationServer, work: UnitOfWork, key: ClientKey, now: float) -> None:
    """Tell the owner of a client, where that is an e-mail address, that the client registered its next key itself."""
    try:
        owner = names.email(key.owner)
    except ValueError:
        return  # free text, such as a team: whoever it is finds the act in the audit log
    if not owner or not server.settings.email.is_set_up:
        return
    context: dict[str, str | int] = {"username": owner, "client": key.client_id, "kid": key.kid, "at": int(now)}
    letter = Letter(to=owner, template="client_key", context=context, language=server.settings.pages.language)
    await queue(server, work, letter, now)
