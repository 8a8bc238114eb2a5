"""How passwords are hashed, which hashes of an import are taken, and which new passwords are."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Any

import bcrypt
import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from ostiary.authorization_server.password_hashing import Cost, PasswordHashing, check_importable
from ostiary.errors import ConfigurationError, Unavailable, VerificationError
from ostiary.model.user import User
from ostiary.settings.sections import SignInSettings
from ostiary.user_authentication import accounts
from ostiary.user_authentication.password_rules import UnfitPassword, check_new_password, parts
from tests.user_authentication.browser import CHEAP, PASSWORD, Browser, PeopleWorld

ADA = User("usr_ada", "ada.byron", "ada.byron", "active", "countess@example.com", True, {"family_name": "Lovelace"})


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _pbkdf2(digest: str, password: bytes = PASSWORD.encode(), salt: bytes = b"salt-salt") -> bytes:
    return hashlib.pbkdf2_hmac(digest, password, salt, 1000)


IMPORTED = {
    "bcrypt": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    "bcrypt 2a": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4, b"2a")).decode(),
    "bcrypt 2y": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "Django": f"pbkdf2_sha256$1000$salt-salt${_b64(_pbkdf2('sha256'))}",
    "Django, SHA-1": f"pbkdf2_sha1$1000$salt-salt${_b64(_pbkdf2('sha1'))}",
    "passlib": f"$pbkdf2-sha256$1000${_b64(b'salt-salt')}${_b64(_pbkdf2('sha256')).rstrip('=').replace('+', '.')}",
    "passlib, SHA-512": f"$pbkdf2-sha512$1000${_b64(b'salt-salt')}${_b64(_pbkdf2('sha512')).rstrip('=')}",
    "PHC": f"$pbkdf2-sha256$i=1000,l=32${_b64(b'salt-salt')}${_b64(_pbkdf2('sha256')).rstrip('=')}",
    "argon2i": PasswordHasher(1, 64, 1, type=Type.I).hash(PASSWORD),
    "argon2id, cheaper": PasswordHasher(1, 32, 1).hash(PASSWORD),
}


def import_hash(world: PeopleWorld, encoded: str, username: str = "ada") -> None:
    user_id = world.user(username).user_id
    world.write(lambda work: accounts.set_password_hash(work, user_id, encoded, world.act()))


@pytest.mark.parametrize("form", IMPORTED)
def test_a_user_of_an_import_signs_in_and_has_argon2id_afterwards(
    world: PeopleWorld, browser: Browser, form: str
) -> None:
    import_hash(world, IMPORTED[form])
    assert browser.sign_in(password=PASSWORD + "x").status == 400
    assert world.factors()[0].secret.decode() == IMPORTED[form]
    assert browser.sign_in().status == 303
    renewed = extract_parameters(world.factors()[0].secret.decode())
    assert (renewed.type, renewed.memory_cost, renewed.time_cost) == (Type.ID, CHEAP.memory, CHEAP.passes)
    assert browser.sign_in(password=PASSWORD + "x").status == 400
    assert browser.sign_in().status == 303


def test_a_hash_gives_way_when_more_is_spent_on_one_and_not_when_less_is(world: PeopleWorld, browser: Browser) -> None:
    before = world.factors()[0].secret
    world.server.passwords = PasswordHashing(Cost(memory=128, passes=1))
    browser.sign_in()
    costlier = world.factors()[0].secret
    assert costlier != before
    assert extract_parameters(costlier.decode()).memory_cost == 128
    world.server.passwords = PasswordHashing(CHEAP)
    assert browser.sign_in().status == 303
    assert world.factors()[0].secret == costlier


def test_every_character_counts_beyond_what_bcrypt_saw(world: PeopleWorld, browser: Browser) -> None:
    """ASVS 6.2.8. bcrypt knows 72 octets; the first sign-in gives argon2id all of them."""
    long = "glass otter minute " * 5
    import_hash(world, bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode())
    assert browser.sign_in(password=long).status == 303
    assert browser.sign_in(password=long[:72]).status == 400
    assert browser.sign_in(password=long).status == 303


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "plain",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$2b$17$" + "a" * 53,
        "$2b$03$" + "a" * 53,
        "$2b$12$short",
        "pbkdf2_sha256$999999999$salt$" + _b64(b"x" * 32),
        "pbkdf2_sha256$0$salt$" + _b64(b"x" * 32),
        "pbkdf2_sha256$1000$salt$" + _b64(b"x" * 8),
        "pbkdf2_md5$1000$salt$" + _b64(b"x" * 32),
        "$argon2id$v=19$m=9999999,t=1,p=1$" + "a" * 22 + "$" + "a" * 43,
        "$argon2id$v=19$m=64,t=99,p=1$" + "a" * 22 + "$" + "a" * 43,
        "$argon2id$v=19$m=64,t=1,p=1$!!$!!",
        "$2b$12$" + "é" * 53,
        "pbkdf2_sha256$1000$" + "s" * 600 + "$" + _b64(b"x" * 32),
    ],
)
def test_what_is_no_hash_or_costs_too_much_is_not_imported(world: PeopleWorld, encoded: str) -> None:
    with pytest.raises(ConfigurationError, match="the password hash"):
        import_hash(world, encoded)
    with pytest.raises(ConfigurationError):
        check_importable(encoded)


def test_the_cost_is_what_owasp_asks_for() -> None:
    passwords = PasswordHashing()

    async def hashed() -> str:
        with passwords.slot() as slot:
            return await slot.hash(PASSWORD)

    made = extract_parameters(asyncio.run(hashed()))
    assert (made.type, made.memory_cost, made.time_cost, made.parallelism) == (Type.ID, 19_456, 2, 1)
    passwords.close()


def test_one_sign_in_too_many_at_once_is_turned_away_and_was_no_try(world: PeopleWorld) -> None:
    world.server.passwords = PasswordHashing(CHEAP, max_waiting=2)
    with world.server.passwords.slot(), world.server.passwords.slot():
        with pytest.raises(Unavailable), world.server.passwords.slot():
            pass
        for _ in range(15):
            page = Browser(world).sign_in()
            assert (page.status, page.texts["error"]) == (503, "Please try again in a moment.")
    assert Browser(world).sign_in().status == 303


def test_a_place_in_the_queue_is_given_back_after_a_refusal(world: PeopleWorld) -> None:
    world.server.passwords = PasswordHashing(CHEAP, max_waiting=1)
    for _ in range(3):
        assert Browser(world).sign_in(password="another").status == 400
    assert Browser(world).sign_in().status == 303


def test_the_loop_goes_on_while_a_password_is_hashed() -> None:
    passwords = PasswordHashing(Cost(memory=65_536, passes=4))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> None:
        counting = asyncio.create_task(count_turns())
        with passwords.slot() as slot:
            await slot.hash(PASSWORD)
        counting.cancel()

    asyncio.run(both())
    assert turns > 20
    passwords.close()


def test_a_hash_that_argon2_cannot_read_is_a_fault_and_not_a_wrong_password(
    world: PeopleWorld, browser: Browser
) -> None:
    (factor,) = world.factors()
    broken = factor.secret[:-8] + b"$$$$$$$$"
    world.write(lambda work: work.factors.set_secret(factor.factor_id, broken))
    assert browser.sign_in().status == 503
    assert not world.sessions()


def test_a_password_of_nobody_is_always_wrong() -> None:
    passwords = PasswordHashing(CHEAP)

    async def tried(password: str) -> None:
        with passwords.slot() as slot:
            await slot.verify(None, password)

    for password in ("", "nobody's password", PASSWORD):
        with pytest.raises(VerificationError):
            asyncio.run(tried(password))
    passwords.close()


# -- new passwords --------------------------------------------------------------------------------------------------


def check(password: str, **settings: Any) -> None:
    check_new_password(SignInSettings.model_validate(settings), password, ADA)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "glass-otter-minute",
        "kX9#vQ2!mZ",
        "🦦🦦 on a raft",
        " leading and trailing ",
        "ünïcödé-wörds-here",
        "k~" * 256,
    ],
)
def test_a_good_password_is_taken(password: str) -> None:
    check(password)


def test_sixty_four_characters_and_many_more_are_taken() -> None:
    """ASVS 6.2.9"""
    check("violin harbour seven " * 4)


@pytest.mark.parametrize(
    "password",
    [
        "password123",
        "Password123!",
        "P4ssw0rd1234",
        "p@$$w0rd2024",
        "passwordpassword",
        "iloveyou2024",
        "qwertyuiop",
        "1234567890",
        "0987654321",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcdefghijkl",
        "welcome1welcome1",
        "Summer2026!!",
        "monkeydragon12",
        "adabyron2024",
        "ADA.BYRON99",
        "countess1815!",
        "Lovelace12345",
        "ostiary-2026",
        "bridge-1234",
        "ＰＡＳＳＷＯＲＤ１２３",
    ],
)
def test_a_password_that_is_tried_first_is_refused(password: str) -> None:
    """ASVS 6.2.4, 6.2.11"""
    with pytest.raises(UnfitPassword, match="easy to guess"):
        check(password, application_name="The Bridge")


def test_a_short_one_and_an_endless_one_are_refused() -> None:
    with pytest.raises(UnfitPassword, match="at least 10 characters"):
        check("kX9#vQ2!m")
    check("kX9#vQ2!m", password_min_length=8)
    with pytest.raises(UnfitPassword, match="at least 12 characters"):
        check("kX9#vQ2!mZ", password_min_length=12)
    with pytest.raises(UnfitPassword, match="at most 512 octets"):
        check("k~7" * 171)


def test_an_operator_cannot_set_a_weak_one_either(world: PeopleWorld) -> None:
    before = world.factors()
    with pytest.raises(UnfitPassword):
        world.set_password(world.user("ada"), "password123")
    assert world.factors() == before


@pytest.mark.parametrize(
    ("password", "count"), [("password", 1), ("password1", 1), ("xpassword", 2), ("1999", 1), ("19x9", 4), ("", 0)]
)
def test_the_parts_of_a_password_are_counted(password: str, count: int) -> None:
    assert parts(password) == count


def test_the_longest_password_is_read_in_no_time() -> None:
    """A password of somebody else must not stop the server: quadratic in what is bounded, and no more."""
    assert parts("k~" * 256) == 512
