"""A token is revoked for as long as an API may take it: its end by that API's clock, not by ours alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ostiary.errors import VerificationError
from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.protocol import access_token, jws
from ostiary.protocol.checks import MAX_LEEWAY
from ostiary.protocol.revocation_feed import Message
from ostiary.resource_server.principal import Principal
from ostiary.resource_server.revocations import Revocations
from tests.authorization_server.world import ISSUER, ORDERS, World, shop_world
from tests.endpoints.following import following, scenario
from tests.endpoints.test_introspect import FORMATS, INACTIVE, use_format

LIFE = 600


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with shop_world(tmp_path) as built:
        yield built


def after_its_end(world: World, seconds: int) -> None:
    """So many seconds after the end of a token that was just issued, when whatever may be deleted is."""
    world.clock.now = int(world.clock.now) + LIFE + seconds
    while world.run(world.storage.expire(int(world.clock()))):
        pass


def revoke(world: World, token: str) -> list[str]:
    """The kinds of rows that stand in the log when the token's client has revoked it."""
    assert world.post("/revoke", world.form(token=token)).status == 200
    return [row.kind for row in world.read(lambda work: work.revocations.since(0))]


def taken(world: World, token: str, known: Revocations) -> bool:
    """Whether an API with the largest leeway takes it, by its signature and what the feed has told."""
    parsed, now = jws.parse(token), world.clock()
    key = world.signing_keys.verification_key(parsed.header.kid or "")
    assert key is not None
    good = access_token.verify(parsed, key, issuer=ISSUER, audience=ORDERS, now=now, leeway=MAX_LEEWAY)
    principal = Principal(
        client_id=good.client_id,
        subject=good.sub,
        scopes=access_token.scope_tokens(good.scope),
        issuer=ISSUER,
        audience=good.aud,
        token_id=good.jti,
        expires_at=good.exp,
        grant_id=good.grant_id,
        rev=good.rev,
        kid=key.kid,
        claims=parsed.claims(),
    )
    try:
        known.check(principal, now)
    except VerificationError as error:
        return error.check != "revocation"
    return True


def learn(world: World, known: Revocations, message: Message) -> None:
    known.add(message.rows, issued_at=int(world.clock()), instant=0)


def test_an_api_within_its_leeway_refuses_by_the_feed_what_was_revoked_after_its_end(world: World) -> None:
    """attack 33"""
    token, other = world.access_token(), world.access_token()
    after_its_end(world, 30)
    known = Revocations(MAX_LEEWAY)

    async def told() -> None:
        async with following(world) as reader:
            learn(world, known, await reader.next())
            assert taken(world, token, known)
            body = urlencode(world.form(token=token)).encode()
            answer = await world.call("POST", "/revoke", body, {"content-type": "application/x-www-form-urlencoded"})
            assert answer.status == 200
            learn(world, known, await reader.next())

    scenario(world, told)
    assert not taken(world, token, known)
    assert taken(world, other, known)


@pytest.mark.parametrize("wanted", FORMATS)
def test_it_can_be_revoked_until_no_api_takes_it(world: World, wanted: str) -> None:
    use_format(world, wanted)
    token = world.access_token()
    after_its_end(world, TAKEN_BEYOND_ITS_END - 1)
    assert revoke(world, token) == ["jti"]


@pytest.mark.parametrize("wanted", FORMATS)
def test_then_it_is_gone(world: World, wanted: str) -> None:
    use_format(world, wanted)
    token = world.access_token()
    after_its_end(world, TAKEN_BEYOND_ITS_END)
    assert revoke(world, token) == []
    assert world.read(lambda work: work.tokens.of_client("shop", now=0)) == []


@pytest.mark.parametrize("wanted", FORMATS)
def test_it_is_neither_active_nor_listed_from_its_end_on(world: World, wanted: str) -> None:
    use_format(world, wanted)
    token = world.access_token()
    after_its_end(world, -1)
    assert world.introspect(token).json["active"]
    after_its_end(world, 1 - LIFE)
    assert world.introspect(token).body == INACTIVE
    assert world.read(lambda work: work.tokens.of_client("shop", now=int(world.clock()))) == []
    assert world.read(lambda work: work.tokens.count_of_client("shop", now=int(world.clock()), most=9)) == 0
