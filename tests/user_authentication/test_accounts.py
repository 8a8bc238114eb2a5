"""Accounts: what is taken, what is refused, and what the audit log says of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.errors import ConfigurationError
from ostiary.model.user import User
from ostiary.storage.base import UnitOfWork
from ostiary.user_authentication import accounts
from ostiary.user_authentication.accounts import NoSuchUser
from ostiary.user_authentication.names import username_key
from tests.user_authentication.browser import PeopleWorld


def change(world: PeopleWorld, user: User, **changes: Any) -> User:
    async def act(work: UnitOfWork) -> User:
        return await accounts.change_user(work, user.user_id, world.act(), **changes)

    changed: User = world.write(act)[0]
    return changed


@pytest.mark.parametrize("other", ["ADA", " ada ", "ＡＤＡ", "aDa"])
def test_a_name_that_differs_only_in_its_writing_is_taken(world: PeopleWorld, other: str) -> None:
    with pytest.raises(ConfigurationError, match="is taken"):
        world.add_user(other)


@given(st.text(max_size=30))
def test_folding_a_name_twice_changes_nothing(name: str) -> None:
    assert username_key(username_key(name)) == username_key(name)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\u200bda", "ada\u202e", "x" * 129, "a\0"])
def test_a_name_that_is_empty_endless_or_partly_invisible_is_refused(world: PeopleWorld, name: str) -> None:
    with pytest.raises(ConfigurationError, match="the user name must"):
        world.add_user(name)


@pytest.mark.parametrize("email", ["ada", "@example.com", "ada@", "a da@x.org", "ada@x.org\nBcc: b@x.org", "a@b@c"])
def test_what_is_no_address_is_refused(world: PeopleWorld, email: str) -> None:
    with pytest.raises(ConfigurationError, match="the e-mail address must be"):
        world.add_user("bob", email=email)


@pytest.mark.parametrize(
    ("claims", "complaint"),
    [
        ({"sub": "usr_other"}, "not a standard one"),
        ({"name": 7}, "must be text"),
        ({"phone_number_verified": "yes"}, "must be true or false"),
        ({"address": {"planet": "Earth"}}, "address"),
        ({"name": "x" * 1001}, "1 to 1000"),
    ],
)
def test_a_claim_that_is_no_standard_one_of_its_type_is_refused(
    world: PeopleWorld, claims: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        world.add_user("bob", claims=claims)


def test_a_user_is_changed_and_the_log_says_what_but_not_to_what(world: PeopleWorld) -> None:
    changed = change(world, world.user("ada"), claims={"name": "Ada Lovelace"}, email="ada@example.com")
    assert (changed.claims, changed.email) == ({"name": "Ada Lovelace"}, "ada@example.com")
    assert world.user("ada") == changed
    (row,) = world.audited("user:updated")
    assert row.target == changed.user_id
    assert "Lovelace" not in str(row.details)
    assert "example.com" not in str(row.details)


def test_a_new_address_is_not_verified_until_somebody_says_so(world: PeopleWorld) -> None:
    ada = change(world, world.user("ada"), email="ada@example.com", email_verified=True)
    assert ada.email_verified
    assert not change(world, ada, email="other@example.com").email_verified
    assert not change(world, ada, email="", email_verified=True).email_verified


def test_a_name_of_somebody_else_is_not_taken_over(world: PeopleWorld) -> None:
    bob = world.add_user("bob")
    with pytest.raises(ConfigurationError, match="is taken"):
        change(world, bob, username="Ada")
    assert world.user("bob") == bob


def test_a_user_has_one_password(world: PeopleWorld) -> None:
    world.set_password(world.user("ada"), "another-glass-otter")
    assert len(world.factors(kind="password")) == 1
    assert [row.tag for row in world.audit() if row.tag.startswith("factor:")] == ["factor:added", "factor:changed"]


def test_a_factor_of_somebody_else_is_not_removed(world: PeopleWorld) -> None:
    bob = world.add_user("bob")
    (password,) = world.factors("ada")

    async def remove(work: UnitOfWork) -> bool:
        return await accounts.remove_factor(work, bob.user_id, password.factor_id, world.act())

    assert world.write(remove) == [False]
    assert world.factors("ada") == [password]


def test_nobody_is_made_by_changing_them(world: PeopleWorld) -> None:
    with pytest.raises(NoSuchUser, match="ostiary user list"):
        change(world, User("usr_none", "x", "x", "active", "", False))


def called(world: PeopleWorld, typed: str) -> User | None:
    found: User | None = world.read(lambda work: accounts.user_called(work, typed))
    return found


def test_a_user_is_found_by_name_and_by_their_own_verified_address(world: PeopleWorld) -> None:
    bob = world.add_user("bob", email="Bob@example.com", email_verified=True)
    assert called(world, " BOB ") == called(world, "bob@EXAMPLE.com") == bob


def test_an_address_that_is_not_verified_or_is_shared_finds_nobody(world: PeopleWorld) -> None:
    world.add_user("bob", email="bob@example.com")
    assert called(world, "bob@example.com") is None
    for name in ("carol", "dave"):
        world.add_user(name, email="family@example.com", email_verified=True)
    assert called(world, "family@example.com") is None
    assert called(world, "") is None


def test_a_name_that_is_an_address_wins_over_the_address(world: PeopleWorld) -> None:
    world.add_user("bob", email="shared@example.com", email_verified=True)
    named = world.add_user("shared@example.com")
    assert called(world, "shared@example.com") == named
