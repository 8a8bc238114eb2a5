"""Whom a token speaks of: a client never passes for a user, RFC 9700 section 4.15, RFC 9068 section 5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from ostiary.admin.clients import new_client_id
from ostiary.admin.commands import NewApi, NewClient, NewKey
from ostiary.model.client import USER_SUBJECT_PREFIX
from ostiary.protocol import jws
from ostiary.settings import Settings
from tests.authorization_server.world import ISSUER, World, shop_world

AS_A_USER = f"{USER_SUBJECT_PREFIX}1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The usual world."""
    with shop_world(tmp_path) as built:
        yield built


def test_the_subject_is_the_client_whatever_it_asks_for(world: World) -> None:
    """standards 67"""
    token = world.access_token(sub=AS_A_USER, subject=AS_A_USER, username=AS_A_USER)
    claims = jws.parse(token).claims()
    assert (claims["sub"], claims["client_id"]) == ("shop", "shop")


def test_no_client_is_registered_under_the_name_of_a_user() -> None:
    """standards 67"""
    NewClient(name="shop", client_id="shop")
    with pytest.raises(ValidationError):
        NewClient(name="shop", client_id=AS_A_USER)


def test_no_identity_of_an_api_has_the_name_of_a_user() -> None:
    """standards 67"""
    keys = [NewKey(key="{}")]
    NewApi(identifier="https://orders.example.com", name="orders", client_id="api_orders", keys=keys)
    with pytest.raises(ValidationError):
        NewApi(identifier="https://orders.example.com", name="orders", client_id=AS_A_USER, keys=keys)


def test_no_client_of_the_settings_has_the_name_of_a_user() -> None:
    """standards 67"""
    Settings.model_validate({"issuer": ISSUER, "static": {"clients": {"shop": {}}}})
    with pytest.raises(ValidationError):
        Settings.model_validate({"issuer": ISSUER, "static": {"clients": {AS_A_USER: {}}}})


def test_a_generated_name_is_no_users_name() -> None:
    """standards 67"""
    assert not new_client_id("client").startswith(USER_SUBJECT_PREFIX)
    assert not new_client_id("api").startswith(USER_SUBJECT_PREFIX)
