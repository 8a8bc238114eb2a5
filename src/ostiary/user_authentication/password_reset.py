"""A forgotten password: a link by e-mail, by which its user sets a new one, and nothing more (ASVS 6.4.3).

Whoever asks learns nothing: the request only queues the wish. Whether there is an account is looked up when the queue
is worked through, so an answer cannot differ, neither in words nor in time (ASVS 6.3.8). A reset signs nobody in, and a
second factor is asked for at the next sign-in as ever. It ends every session of the user (ASVS 7.4.3).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from ostiary.authorization_server.client_address import network_of
from ostiary.model.factor import Factor
from ostiary.model.user import User
from ostiary.revocation import revoke_session
from ostiary.revocation.act import Act
from ostiary.user_authentication import email_links, names, news
from ostiary.user_authentication.accounts import set_password_hash
from ostiary.user_authentication.email_links import LIFE, Link
from ostiary.user_authentication.mail.letters import Letter, language_of, queue
from ostiary.user_authentication.password_rules import check_new_password
from ostiary.user_authentication.throttle import WINDOW, Counter, Throttle

if TYPE_CHECKING:
    from ostiary.authorization_server.context import AuthorizationServer

PATH: Final = "/reset"
LINK_PATH: Final = "/reset/password"

ADDRESS_LIMIT: Final = 3
"""Letters to one address within ``throttle.WINDOW``. Nobody is locked out by it: those that were sent still work."""

NETWORK_LIMIT: Final = 20
"""Requests from one network within the same time."""

_MAX_ACCOUNTS = 5


async def wish(server: AuthorizationServer, typed: str, address: str) -> None:
    """Note that somebody at the IP address ``address`` wants to reset the password of the e-mail address ``typed``.

    Raises TooManyTries: too many such requests from this network.
    """
    now = server.clock()
    try:
        to = names.email(typed)
    except ValueError:
        to = ""
    network = f"reset-network:{network_of(address)}"
    mailbox = f"reset-address:{hashlib.sha256(to.casefold().encode()).hexdigest()[:32]}"
    async with server.storage.write() as work:
        await Throttle(Counter(network, NETWORK_LIMIT)).count(work, now)
        if to and await work.failed_attempts.note(mailbox, now=int(now), window=WINDOW) <= ADDRESS_LIMIT:
            await queue(server, work, Letter(to=to, template="reset_wanted"), now, life=LIFE)


async def letters_for(server: AuthorizationServer, wanted: Letter, now: float) -> list[Letter]:
    """What is sent for a wish: nothing where no active account has shown that the address is theirs.

    The letter goes to the address as it is on record, never as it was typed: two that fold to one are not one mailbox.
    """
    tokens = [await email_links.new_token(server) for _ in range(_MAX_ACCOUNTS)]
    due = []
    async with server.storage.write() as work:
        users = [one for one in await work.users.by_email(wanted.to) if _may_be_told(one)]
        for user, token in zip(users, tokens, strict=False):
            factors = await work.factors.of_user(user.user_id)
            link = ""
            if _can_be_reset(factors):
                link = email_links.url(server, LINK_PATH, token)
                act = Act("server", now, "a forgotten password was told")
                await email_links.keep(work, "password_reset", token, user, user.email, factors, act)
            due.append(_letter(server, user, link))
    return due


async def look(server: AuthorizationServer, token: str) -> Link:
    """Whose password the link would set. Raises VerificationError: it works no more."""
    async with server.storage.read() as work:
        return await email_links.look(work, "password_reset", token, server.clock())


async def reset(server: AuthorizationServer, token: str, password: str, address: str) -> None:
    """Set the password and end every session of the user. address: of the browser.

    Raises VerificationError: the link works no more; UnfitPassword: the link still does; Unavailable.
    """
    now = server.clock()
    link = await look(server, token)
    check_new_password(server.settings.sign_in, password, link.user)
    with server.passwords.slot() as slot:
        encoded = await slot.hash(password)
    personal = {"address": address} if address else {}
    async with server.storage.write() as work:
        user = (await email_links.spend(work, "password_reset", token, now)).user
        act = Act(f"user:{user.user_id}", now, "reset by e-mail", personal=personal)
        await set_password_hash(work, user.user_id, encoded, act)
        for session in await work.sessions.of_user(user.user_id):
            await revoke_session(work, session.session_id, act)
        await news.factor(server, work, user, "factor_changed", "password", now)
    server.on_event("password_reset", {"outcome": "done"})


def _may_be_told(user: User) -> bool:
    return user.state == "active" and bool(user.email) and user.email_verified


def _can_be_reset(factors: list[Factor]) -> bool:
    """Whether the user has a password, or as yet nothing to sign in with.

    Who signs in by a passkey or elsewhere alone gets no password by e-mail: it would be a weaker way in than theirs.
    """
    kinds = {factor.kind for factor in factors}
    return "password" in kinds or not kinds & {"passkey", "upstream"}


def _letter(server: AuthorizationServer, user: User, link: str) -> Letter:
    context: dict[str, str | int] = {"username": user.username, "life": LIFE}
    language = language_of(server, user)
    if not link:
        return Letter(to=user.email, template="no_password", context=context, language=language)
    return Letter(to=user.email, template="password_reset", context=context | {"link": link}, language=language)
