"""Another e-mail address: it becomes the user's when they have shown, by a link sent to it, that they read it.

The link is good in the hands of its user alone, signed in: somebody who is lured into confirming their own address for
a stranger's account cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

from ostiary.errors import VerificationError
from ostiary.model.user import User
from ostiary.revocation.act import Act
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import email_links, news
from ostiary.user_authentication.accounts import change_user
from ostiary.user_authentication.email_links import LINK, Link
from ostiary.user_authentication.mail.letters import Letter, language_of, queue
from ostiary.user_authentication.throttle import Counter, Throttle

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PATH: Final = "/verify-email"

USER_LIMIT: Final = 5
"""Letters that one user may have sent within ``throttle.WINDOW``, so that nobody's mailbox is flooded from here."""


async def send_link(
    server: AuthorizationServer,
    write: Callable[[], AbstractAsyncContextManager[UnitOfWork]],
    user: User,
    email: str,
    act: Act,
) -> None:
    """Send a link to ``email``, an address of good form. write: a unit of work of the user. Raises TooManyTries."""
    token = await email_links.new_token(server)
    limit = Throttle(Counter(f"verify-address:{user.user_id}", USER_LIMIT))
    letter = Letter(
        to=email,
        template="verify_address",
        context={
            "username": user.username,
            "life": email_links.LIFE,
            "link": email_links.url(server, PATH, token),
        },
        language=language_of(server, user),
    )
    async with write() as work:
        await limit.count(work, act.now)
        factors = await work.factors.of_user(user.user_id)
        await email_links.keep(work, "email_verification", token, user, email, factors, act)
        await queue(server, work, letter, act.now, life=email_links.LIFE)


async def look(server: AuthorizationServer, token: str, users: Sequence[User]) -> Link:
    """What the link is for. Raises VerificationError: it is of none of ``users``, or works no more."""
    async with server.storage.read() as work:
        link = await email_links.look(work, "email_verification", token, server.clock())
    _check_is_theirs(link.user, users)
    return link


async def verify(server: AuthorizationServer, work: UnitOfWork, token: str, user: User, act: Act) -> None:
    """Make the address the user's, and tell them so at the one before. Raises VerificationError."""
    _check_is_theirs((await email_links.look(work, "email_verification", token, act.now)).user, [user])
    link = await email_links.spend(work, "email_verification", token, act.now)
    if link.user.email and link.user.email.casefold() != link.email.casefold():
        await news.address_changed(server, work, link.user, act.now)
    await change_user(work, user.user_id, act, email=link.email, email_verified=True)


def _check_is_theirs(of_link: User, users: Sequence[User]) -> None:
    if of_link.user_id not in [user.user_id for user in users]:
        raise VerificationError(
            LINK, "this link is not for you", seen="a link of another user", expected="a link that this user asked for"
        )
