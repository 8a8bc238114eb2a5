"""Users, factors, sessions, consents, refresh tokens, failed attempts, deliveries: on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ostiary.errors import ConfigurationError
from ostiary.model.client_login import ClientLogin
from ostiary.model.consent import Consent
from ostiary.model.delivery import Delivery
from ostiary.model.factor import Factor
from ostiary.model.grant import Grant
from ostiary.model.known_browser import KnownBrowser
from ostiary.model.refresh_token import RefreshToken
from ostiary.model.session import Session
from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.model.user import User
from ostiary.storage.base import Storage
from tests.contract.storage.conftest import OpenStorage
from tests.contract.storage.examples import NOW, client, revocation, token

pytestmark = pytest.mark.anyio

USER = User("usr_1", "Ada", "ada", "active", "Ada@example.com", True, {"name": "Ada", "n": 1}, NOW, NOW)
FACTOR = Factor("fac_1", "usr_1", "passkey", "laptop", b"key", "credential-1", 3, {"aaguid": "x"}, NOW, None)
GRANT = Grant("gr_1", "app", "usr_1", "authorization_code", NOW, NOW + 90, None, "usr_1", "ses_1", {"": ("openid",)})
TOKEN = RefreshToken(b"d1", "gr_1", "app", "usr_1", 0, "", NOW, NOW + 50, NOW + 90)


def session(session_id: str = "ses_1", **changes: Any) -> Session:
    made = Session(
        session_id, b"secret", b"browser", "usr_1", ("pwd",), "one", NOW, NOW, NOW, NOW + 10, NOW + 100, None, "Firefox"
    )
    return replace(made, **changes)


async def test_users_are_found_by_id_name_and_address(storage: Storage) -> None:
    async with storage.write() as work:
        await work.users.add(USER)
    async with storage.read() as work:
        assert await work.users.get("usr_1") == USER
        assert await work.users.by_name("ada") == USER
        assert await work.users.by_email("ADA@EXAMPLE.COM") == [USER]
        assert await work.users.list() == [USER]
        assert await work.users.get("usr_1", tenant="b") is None
        assert await work.users.by_name("ada", tenant="b") is None


async def test_users_of_one_address_are_in_the_order_of_their_ids(storage: Storage) -> None:
    """A page of them begins where the one before ended."""
    async with storage.write() as work:
        for number in (3, 1, 2):
            await work.users.add(replace(USER, user_id=f"usr_{number}", username_key=f"ada-{number}"))
    async with storage.read() as work:
        found = await work.users.by_email("ada@example.com")
    assert [user.user_id for user in found] == ["usr_1", "usr_2", "usr_3"]


async def test_no_address_is_nobodys(storage: Storage) -> None:
    """Else a sign-in without a name reads everybody who has none."""
    async with storage.write() as work:
        await work.users.add(replace(USER, email="", email_verified=False))
    async with storage.read() as work:
        assert await work.users.by_email("") == []


async def test_a_user_name_belongs_to_one_user(storage: Storage) -> None:
    other = replace(USER, user_id="usr_2", username_key="eve", username="eve")
    async with storage.write() as work:
        await work.users.add(USER)
        await work.users.add(other)
        with pytest.raises(ConfigurationError, match="taken"):
            await work.users.add(replace(USER, user_id="usr_3"))
        with pytest.raises(ConfigurationError, match="taken"):
            await work.users.replace(replace(other, username_key="ada", username="ADA"))
        with pytest.raises(ConfigurationError, match="create it"):
            await work.users.replace(replace(USER, user_id="usr_9", username_key="x"))
        await work.users.replace(replace(USER, state="disabled"))
    async with storage.read() as work:
        assert [user.state for user in await work.users.list()] == ["disabled", "active"]


async def test_users_and_their_grants_raise_no_registry_position(storage: Storage) -> None:
    before = await storage.positions()
    async with storage.write() as work:
        await work.users.add(USER)
        await work.sessions.add(session())
        await work.grants.add(GRANT)
        assert await work.grants.end("gr_1", NOW)
        assert not await work.grants.end("gr_1", NOW)
    assert await storage.positions() == before


async def test_factors(storage: Storage) -> None:
    async with storage.write() as work:
        await work.factors.add(FACTOR)
        await work.factors.add(replace(FACTOR, factor_id="fac_2", lookup=None, created_at=NOW - 1))
        await work.factors.add(replace(FACTOR, factor_id="fac_3", lookup=None, created_at=NOW + 1))
        with pytest.raises(ConfigurationError, match="registered already"):
            await work.factors.add(replace(FACTOR, factor_id="fac_4", user_id="usr_2"))
        await work.factors.set_secret("fac_1", b"new")
        await work.factors.set_details("fac_1", {"backed_up": True})
        await work.factors.rename("fac_1", "phone")
        await work.factors.touch("fac_1", NOW + 5)
    async with storage.read() as work:
        changed = replace(FACTOR, secret=b"new", name="phone", details={"backed_up": True}, last_used_at=NOW + 5)
        assert await work.factors.get("fac_1") == changed
        assert await work.factors.by_lookup("passkey", "credential-1") == changed
        assert await work.factors.by_lookup("upstream", "credential-1") is None
        assert [factor.factor_id for factor in await work.factors.of_user("usr_1")] == ["fac_2", "fac_1", "fac_3"]
        assert await work.factors.of_user("usr_1", tenant="b") == []


async def test_of_two_that_advance_to_the_same_count_one_wins(open_storage: OpenStorage) -> None:
    async with open_storage() as first, open_storage() as second:
        async with first.write() as work:
            await work.factors.add(FACTOR)

        async def advance(storage: Storage, to: int) -> bool:
            async with storage.write() as work:
                return await work.factors.advance("fac_1", to=to, at=NOW)

        won = await asyncio.gather(*(advance(storage, 9) for storage in (first, second) * 5))
        assert sorted(won) == [False] * 9 + [True]
        assert not await advance(first, 8), "it only rises"


async def test_of_two_that_remove_a_factor_one_wins(open_storage: OpenStorage) -> None:
    async with open_storage() as first, open_storage() as second:
        async with first.write() as work:
            await work.factors.add(FACTOR)

        async def remove(storage: Storage) -> bool:
            async with storage.write() as work:
                return await work.factors.remove("fac_1")

        assert sorted(await asyncio.gather(remove(first), remove(second))) == [False, True]


async def test_sessions_of_a_browser_move_to_its_new_secret(storage: Storage) -> None:
    later = session("ses_2", user_id="usr_2", auth_time=NOW + 1)
    async with storage.write() as work:
        await work.sessions.add(session())
        await work.sessions.add(later)
        await work.sessions.add(session("ses_3", digest=b"another browser"))
        assert await work.sessions.of_browser(b"secret") == [later, session()]
        await work.sessions.move(b"secret", b"new")
        assert await work.sessions.of_browser(b"secret") == []
        assert await work.sessions.end("ses_1", NOW)
        assert not await work.sessions.end("ses_1", NOW)
        await work.sessions.touch("ses_2", at=NOW + 3, idle_until=NOW + 30)
        await work.sessions.touch("ses_1", at=NOW + 3, idle_until=NOW + 30)
    async with storage.read() as work:
        moved = replace(later, digest=b"new", last_seen_at=NOW + 3, idle_until=NOW + 30)
        assert await work.sessions.of_browser(b"new") == [moved]
        assert [one.session_id for one in await work.sessions.of_user("usr_1")] == ["ses_3"]
        ended = await work.sessions.get("ses_1")
        assert ended is not None
        assert (ended.ended_at, ended.last_seen_at) == (NOW, NOW)


async def test_a_session_is_renewed_unless_it_was_ended(storage: Storage) -> None:
    proved = session(digest=b"new", amr=("pwd", "otp", "mfa"), acr="two", auth_time=NOW + 5, expires_at=NOW + 200)
    async with storage.write() as work:
        await work.sessions.add(session())
        assert await work.sessions.renew(proved)
        assert await work.sessions.get("ses_1") == proved
        await work.sessions.end("ses_1", NOW)
        assert not await work.sessions.renew(proved)


async def test_a_browser_is_remembered_for_its_user(storage: Storage) -> None:
    known = KnownBrowser("usr_1", b"b1", NOW, NOW, NOW + 10)
    async with storage.write() as work:
        await work.sessions.remember_browser(known)
        await work.sessions.remember_browser(replace(known, created_at=NOW + 5, last_seen_at=NOW + 5))
        assert await work.sessions.known_browser("usr_1", b"b1") == replace(known, last_seen_at=NOW + 5)
        assert await work.sessions.known_browser("usr_2", b"b1") is None


async def test_consents(storage: Storage) -> None:
    one = Consent("usr_1", "app", "", ("openid",), NOW, NOW)
    two = Consent("usr_1", "app", "https://orders.example", ("orders:read",), NOW, NOW)
    async with storage.write() as work:
        await work.consents.put(two)
        await work.consents.put(one)
        await work.consents.put(replace(one, client_id="other"))
        await work.consents.put(replace(one, scopes=("openid", "email"), created_at=NOW + 9, updated_at=NOW + 9))
        assert await work.consents.of_user("usr_1", "app") == [
            replace(one, scopes=("openid", "email"), updated_at=NOW + 9),
            two,
        ]
        assert len(await work.consents.of_user("usr_1")) == 3
        assert await work.consents.remove("usr_1", "app") == 2
        assert await work.consents.remove("usr_1", "app") == 0
        assert [consent.client_id for consent in await work.consents.of_user("usr_1")] == ["other"]


async def test_of_many_uses_of_a_refresh_token_one_wins(open_storage: OpenStorage) -> None:
    async with open_storage() as first, open_storage() as second:
        async with first.write() as work:
            await work.refresh_tokens.add(TOKEN)

        async def use(storage: Storage, number: int) -> bool:
            async with storage.write() as work:
                return await work.refresh_tokens.use(
                    b"d1", at=NOW, successor=b"%d" % number, successor_digest=b"s", retry_until=NOW + 10
                )

        won = await asyncio.gather(*(use(storage, number) for number, storage in enumerate((first, second) * 5)))
        assert sorted(won) == [False] * 9 + [True]
        async with second.read() as work:
            used = await work.refresh_tokens.get(b"d1")
        assert used is not None
        assert (used.used_at, used.successor) == (NOW, b"%d" % won.index(True))


async def test_a_refresh_token_keeps_the_certificate_that_it_is_bound_to(storage: Storage) -> None:
    bound = replace(TOKEN, certificate_thumbprint="x5t")
    async with storage.write() as work:
        await work.refresh_tokens.add(bound)
    async with storage.read() as work:
        assert await work.refresh_tokens.get(b"d1") == bound


async def test_the_sealed_successors_are_erased(storage: Storage) -> None:
    async with storage.write() as work:
        for digest, successor in ((b"d1", b"d2"), (b"d3", b"d4"), (b"d5", b"d6")):
            await work.refresh_tokens.add(replace(TOKEN, digest=digest))
            await work.refresh_tokens.use(
                digest, at=NOW, successor=b"sealed", successor_digest=successor, retry_until=NOW + 10
            )
        assert await work.refresh_tokens.close_windows_before("gr_1", b"d2") == 1
        assert await work.refresh_tokens.close_windows("another grant") == 0
        assert not await work.refresh_tokens.has_old_windows(NOW + 9)
        assert await work.refresh_tokens.close_old_windows(NOW + 9) == 0
        assert await work.refresh_tokens.has_old_windows(NOW + 10)
        assert await work.refresh_tokens.close_windows("gr_1") == 2
        erased = await work.refresh_tokens.get(b"d3")
        assert erased is not None
        assert (erased.successor, erased.used_at) == (None, NOW)


async def test_grants_of_users(storage: Storage) -> None:
    async with storage.write() as work:
        await work.grants.add(GRANT)
        await work.grants.add(replace(GRANT, grant_id="gr_2", client_id="other", session_id="ses_2"))
        await work.grants.end("gr_2", NOW)
        assert await work.grants.get("gr_1") == GRANT
        assert [grant.grant_id for grant in await work.grants.of_user("usr_1")] == ["gr_1", "gr_2"]
        assert await work.grants.standing_of_user("usr_1") == [GRANT]
        assert await work.grants.standing_of_user("usr_1", "other") == []
        assert [grant.grant_id for grant in await work.grants.of_session("ses_2")] == ["gr_2"]
        assert await work.grants.standing_of_session("ses_1") == [GRANT]
        await work.grants.prolong("gr_1", NOW + 500)
        await work.grants.prolong("gr_2", NOW + 500)
        assert [grant.expires_at for grant in await work.grants.of_user("usr_1")] == [NOW + 500, NOW + 90]


async def test_a_revoked_session_ends_the_tokens_below_its_position(storage: Storage) -> None:
    async with storage.write() as work:
        await work.revocations.append(revocation("sid", "ses_1"))
    position = (await storage.positions()).revocation
    async with storage.read() as work:
        assert await work.revocations.ends(token(session_id="ses_1", rev=position - 1)) is not None
        assert await work.revocations.ends(token(session_id="ses_1", rev=position)) is None
        assert await work.revocations.ends(token(session_id="ses_2", rev=0)) is None


async def test_failed_attempts_are_counted_in_windows(storage: Storage) -> None:
    async with storage.write() as work:
        assert [await work.failed_attempts.note("a", now=NOW + n, window=10) for n in range(3)] == [1, 2, 3]
        assert await work.failed_attempts.note("b", now=NOW, window=10) == 1
        assert await work.failed_attempts.count("a", now=NOW + 9) == (3, NOW + 10)
        assert await work.failed_attempts.count("a", now=NOW + 10) == (0, 0)
        assert await work.failed_attempts.note("a", now=NOW + 10, window=10) == 1
        await work.failed_attempts.forget("a")
        assert await work.failed_attempts.count("a", now=NOW + 11) == (0, 0)
        assert await work.failed_attempts.count("b", now=NOW, tenant="b") == (0, 0)


async def test_of_many_that_take_a_delivery_one_wins_and_it_is_due_again(open_storage: OpenStorage) -> None:
    waiting = Delivery("d1", "email", b"sealed", NOW, NOW + 100)
    async with open_storage() as first, open_storage() as second:
        async with first.write() as work:
            await work.deliveries.add(waiting)
            await work.deliveries.add(replace(waiting, delivery_id="d2", due_at=NOW + 1))
        async with first.read() as work:
            assert await work.deliveries.due(now=NOW) == [waiting]
            assert await work.deliveries.due(now=NOW, kind="email") == [waiting]
            assert await work.deliveries.due(now=NOW, kind="backchannel_logout") == []

        async def take(storage: Storage) -> bool:
            async with storage.write() as work:
                return await work.deliveries.take(waiting, due_at=NOW + 30)

        won = await asyncio.gather(*(take(storage) for storage in (first, second) * 4))
        assert sorted(won) == [False] * 7 + [True]
        async with first.write() as work:
            due = await work.deliveries.due(now=NOW + 30)
            assert [(one.delivery_id, one.attempts) for one in due] == [("d2", 0), ("d1", 1)]
            await work.deliveries.remove("d1")
            assert [one.delivery_id for one in await work.deliveries.due(now=NOW + 30)] == ["d2"]


async def test_what_has_ended_is_deleted_once_no_token_that_hangs_on_it_is_taken(storage: Storage) -> None:
    async with storage.write() as work:
        await work.sessions.add(session())
        await work.refresh_tokens.add(TOKEN)
        await work.grants.add(GRANT)
        await work.sessions.remember_browser(KnownBrowser("usr_1", b"b1", NOW, NOW, NOW + 90))
        await work.failed_attempts.note("a", now=NOW, window=90)
        await work.deliveries.add(Delivery("d1", "email", b"sealed", NOW, NOW + 90))
    assert await storage.expire(NOW + 89) == 0
    assert await storage.expire(NOW + 100) == 3
    assert await storage.expire(NOW + 89 + TAKEN_BEYOND_ITS_END) == 0
    assert await storage.expire(NOW + 100 + TAKEN_BEYOND_ITS_END) == 3
    assert await storage.expire(NOW + 100 + TAKEN_BEYOND_ITS_END) == 0


async def test_the_registration_of_a_client_with_users_is_kept(storage: Storage) -> None:
    login = ClientLogin(application_type="native", redirect_uris=("http://127.0.0.1/cb",), require_pkce=False)
    made = client("app", login=login, secret_digest=b"hash")
    async with storage.write() as work:
        await work.clients.add(made)
    async with storage.read() as work:
        assert await work.clients.get("app") == made
