"""Token Status Lists end to end: tokens of an API that wants them have a place, and what ends them shows there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from msgspec.structs import replace

from ostiary.authorization_server.status_lists.publisher import SETTLING, SOON, StatusListPublisher
from ostiary.model.revocation import Revocation
from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.protocol import jws, status_list
from ostiary.protocol.status_list import INVALID, VALID, StatusList, StatusReference
from ostiary.revocation import Act, revoke_client
from ostiary.revocation.grants import revoke_grant
from ostiary.revocation.installation import raise_epoch
from ostiary.revocation.tokens import revoke_token
from ostiary.storage.connection import Conflict
from tests.authorization_server.world import BILLS, ISSUER, NOW, ORDERS, World

LISTS = "/status-lists"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The API of orders wants its tokens in status lists, that of bills does not."""
    world = World(tmp_path)
    world.add_api(ORDERS, status_list=True)
    world.add_api(BILLS, scopes={"bills:read": "read"})
    world.add_client("shop")
    world.add_client("other", scopes={BILLS: ("bills:read",)})
    yield world
    world.close()


def reference(world: World, token: str) -> StatusReference:
    members = jwt.decode(token, KeySet.import_key_set(world.get("/jwks").json), algorithms=["ES256"]).claims
    found = status_list.reference(members)
    assert found is not None
    return found


def published(world: World, uri: str) -> StatusList:
    """The list as an API would take it."""
    answer = world.get(uri.removeprefix(ISSUER), accept=status_list.MEDIA_TYPE)
    assert answer.status == 200, answer.body
    token = jws.parse(answer.body, max_length=status_list.MAX_TOKEN_LENGTH)
    key = world.server.signing_keys.verification_key(token.header.kid or "")
    assert key is not None
    return status_list.verify(token, key, issuer=ISSUER, uri=uri, now=world.clock())


def status(world: World, token: str) -> int:
    place = reference(world, token)
    return published(world, place.uri).status(place.idx)


@pytest.fixture
def publisher(world: World) -> StatusListPublisher:
    return StatusListPublisher(world.server)


def jti(token: str) -> str:
    return str(jws.parse(token).claims()["jti"])


def end(world: World, token: str) -> None:
    record = world.read(lambda work: work.tokens.by_jti(jti(token)))
    world.write(lambda work: revoke_token(work, record, Act("cli", world.clock())))


def test_a_token_of_an_api_that_wants_it_says_where_its_status_stands(world: World) -> None:
    place = reference(world, world.access_token())
    assert place.uri.startswith(ISSUER + LISTS + "/")
    assert published(world, place.uri).status(place.idx) == VALID


def test_a_token_of_another_api_says_nothing_of_a_status(world: World) -> None:
    assert "status" not in jws.parse(world.access_token("other")).claims()
    assert world.get(LISTS).json == {"status_lists": []}


def test_a_reference_token_has_no_place(world: World) -> None:
    world.add_api("https://stock.example.com", status_list=True, token_format="reference", scopes={"stock": "see"})
    world.add_client("taker", scopes={"https://stock.example.com": ("stock",)})
    assert world.access_token("taker").startswith("ost_")
    assert world.get(LISTS).json == {"status_lists": []}


def test_introspection_tells_the_same_place(world: World) -> None:
    token = world.access_token()
    assert world.introspect(token).json["status"] == jws.parse(token).claims()["status"]


def test_no_two_tokens_have_the_same_place_and_places_have_no_order(world: World) -> None:
    places = [reference(world, world.access_token()) for _ in range(40)]
    assert len(set(places)) == 40
    indexes = [place.idx for place in places]
    assert indexes != sorted(indexes)
    assert max(indexes) - min(indexes) > 1000


def test_a_revoked_token_is_invalid_in_the_next_list_and_no_other_one_is(
    world: World, publisher: StatusListPublisher
) -> None:
    token, other = world.access_token(), world.access_token()
    end(world, token)
    assert world.run(publisher.publish()) == 1
    assert (status(world, token), status(world, other)) == (INVALID, VALID)


def _rows(token: Any) -> list[tuple[str, str]]:
    return [
        ("jti", token.jti),
        ("grant", token.grant_id),
        ("client", token.client_id),
        ("sub", token.subject),
        ("sid", "the-session"),
        ("client_key", token.key_thumbprint),
        ("client_key", "x5t"),
        ("signing_key", token.signing_kid),
    ]


@pytest.mark.parametrize(
    "row", range(8), ids=lambda row: ["jti", "grant", "client", "sub", "sid", "key", "x5t", "kid"][row]
)
def test_every_kind_of_row_shows(world: World, publisher: StatusListPublisher, row: int) -> None:
    token = world.access_token()
    place = reference(world, token)
    record = world.read(lambda work: work.tokens.by_jti(jti(token)))
    # As that of a user in a session, bound to a certificate.
    bound = replace(record, jti="f" * 36, status_index=(place.idx + 1) % 1000, session_id="the-session")
    world.write(lambda work: work.tokens.add(replace(bound, certificate_thumbprint="x5t")))
    kind, value = _rows(replace(bound, jti="f" * 36))[row]
    revocation = Revocation(kind, value, int(NOW), int(NOW) + 900)  # type: ignore[arg-type]
    world.write(lambda work: work.revocations.append(revocation))
    world.run(publisher.publish())
    assert published(world, place.uri).status((place.idx + 1) % 1000) == INVALID


def test_a_token_of_after_the_row_stays_valid(world: World, publisher: StatusListPublisher) -> None:
    world.write(lambda work: work.revocations.append(Revocation("sub", "shop", int(NOW), int(NOW) + 900)))
    token = world.access_token()
    world.run(publisher.publish())
    assert status(world, token) == VALID


def test_a_token_that_is_committed_just_after_the_row_that_ends_it_shows_soon(
    world: World, publisher: StatusListPublisher
) -> None:
    token = world.access_token()
    place = reference(world, token)
    record = world.read(lambda work: work.tokens.by_jti(jti(token)))
    world.write(lambda work: work.revocations.append(Revocation("sub", "late", int(NOW), int(NOW) + 900)))
    world.run(publisher.publish())
    late = replace(record, jti="f" * 36, status_index=(place.idx + 1) % 1000, subject="late")
    world.write(lambda work: work.tokens.add(late))
    for wait in (SOON, SETTLING):
        world.clock.now += wait
        world.run(publisher.publish())
        assert published(world, place.uri).status((place.idx + 1) % 1000) == INVALID


def test_a_publisher_that_was_away_misses_nothing(world: World) -> None:
    token = world.access_token()
    first = StatusListPublisher(world.server)
    world.run(first.publish())
    end(world, token)
    world.run(StatusListPublisher(world.server).publish())
    assert status(world, token) == INVALID


def test_what_could_not_be_published_is_published_once_the_database_takes_it(
    world: World, publisher: StatusListPublisher
) -> None:
    token = world.access_token()
    world.run(publisher.publish())
    end(world, token)
    database = sqlite3.connect(world.folder / "ostiary.db", isolation_level=None)
    database.execute(
        "CREATE TRIGGER refusing BEFORE UPDATE ON status_lists BEGIN SELECT RAISE(ABORT, 'no space left'); END"
    )
    for wait in (0, SOON, SETTLING):
        world.clock.now += wait
        with pytest.raises(Conflict):
            world.run(publisher.publish())
    database.execute("DROP TRIGGER refusing")
    database.close()
    assert world.run(publisher.publish()) == 1
    assert status(world, token) == INVALID


def test_what_was_published_stays_invalid_when_the_row_is_gone(world: World, publisher: StatusListPublisher) -> None:
    token = world.access_token()
    end(world, token)
    world.run(publisher.publish())
    world.clock.now += 301
    assert world.run(publisher.publish()) == 1
    assert status(world, token) == INVALID


def test_client_and_grant_that_end_take_their_tokens_with_them(world: World, publisher: StatusListPublisher) -> None:
    token = world.access_token()
    world.write(lambda work: revoke_client(work, "shop", Act("cli", NOW)))
    world.run(publisher.publish())
    assert status(world, token) == INVALID
    world.add_client("second")
    token = world.access_token("second")
    world.write(lambda work: revoke_grant(work, "gr_second", Act("cli", NOW)))
    world.run(publisher.publish())
    assert status(world, token) == INVALID


def test_a_new_epoch_ends_every_place_also_of_tokens_that_the_database_has_lost(
    world: World, publisher: StatusListPublisher
) -> None:
    token = world.access_token()
    place = reference(world, token)
    world.write(lambda work: raise_epoch(work, Act("cli", NOW)))
    world.clock.now += 400  # until proofs are taken again
    after = world.access_token()
    world.run(publisher.publish())
    ended = published(world, place.uri)
    assert {ended.status(index) for index in range(ended.size)} == {INVALID}
    assert reference(world, after).uri != place.uri
    assert status(world, after) == VALID


def test_where_nothing_changes_nothing_is_published(world: World, publisher: StatusListPublisher) -> None:
    world.access_token()
    assert [world.run(publisher.publish()) for _ in range(3)] == [0, 0, 0]
    world.write(lambda work: work.revocations.append(Revocation("sub", "nobody", int(NOW), int(NOW) + 900)))
    assert world.run(publisher.publish()) == 0


def test_a_list_is_renewed_at_half_of_its_life_and_says_how_long_it_may_be_kept(
    world: World, publisher: StatusListPublisher
) -> None:
    uri = reference(world, world.access_token()).uri
    first = published(world, uri)
    assert (first.exp, first.ttl) == (first.iat + 600, 30)
    world.clock.now += 299
    assert world.run(publisher.publish()) == 0
    world.clock.now += 1
    assert world.run(publisher.publish()) == 1
    assert published(world, uri).iat == first.iat + 300


def test_a_list_is_signed_anew_when_its_key_is_withdrawn(world: World, publisher: StatusListPublisher) -> None:
    uri = reference(world, world.access_token()).uri
    world.run(world.signing_keys.rotate("ES256", compromised=True))
    assert world.run(publisher.publish()) == 1
    assert published(world, uri)


def test_of_two_publishers_at_once_neither_loses_what_the_other_found(world: World) -> None:
    one, other = world.access_token(), world.access_token()
    first, second = StatusListPublisher(world.server), StatusListPublisher(world.server)
    end(world, one)
    world.run(first.publish())
    end(world, other)
    world.run(second.publish())
    world.run(first.publish())
    assert (status(world, one), status(world, other)) == (INVALID, INVALID)


def test_a_token_that_is_revoked_within_the_leeway_of_verifiers_becomes_invalid(
    world: World, publisher: StatusListPublisher
) -> None:
    token = world.access_token()
    world.clock.now += 600 + TAKEN_BEYOND_ITS_END - 1
    end(world, token)
    world.run(publisher.publish())
    assert status(world, token) == INVALID


def test_a_list_goes_when_its_last_token_has_ended(world: World, publisher: StatusListPublisher) -> None:
    uri = reference(world, world.access_token()).uri
    world.clock.now += 3600 + 300 + 3600
    assert world.get(uri.removeprefix(ISSUER)).status == 404
    assert world.get(LISTS).json == {"status_lists": []}
    world.run(world.storage.expire(int(world.clock())))
    assert world.read(lambda work: work.status_lists.get(uri.rpartition("/")[2])) is None


# -- over HTTP ---------------------------------------------------------------------------------------------------------


def test_the_list_has_its_type_and_must_be_asked_for_anew(world: World) -> None:
    answer = world.get(reference(world, world.access_token()).uri.removeprefix(ISSUER))
    assert answer.headers["content-type"] == "application/statuslist+jwt"
    assert answer.headers["cache-control"] == "public, no-cache"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert jws.parse(answer.body).header.typ == "statuslist+jwt"


def test_an_unchanged_list_is_not_sent_again_and_a_changed_one_is(world: World, publisher: StatusListPublisher) -> None:
    token = world.access_token()
    path = reference(world, token).uri.removeprefix(ISSUER)
    etag = world.get(path).headers["etag"]
    assert world.get(path, if_none_match=etag).status == 304
    end(world, token)
    world.run(publisher.publish())
    assert world.get(path, if_none_match=etag).status == 200


@pytest.mark.parametrize("wanted", ["*/*", "application/*", "application/statuslist+jwt", "text/html, */*;q=0.1"])
def test_whoever_takes_the_type_gets_it(world: World, wanted: str) -> None:
    path = reference(world, world.access_token()).uri.removeprefix(ISSUER)
    assert world.get(path, accept=wanted).status == 200


@pytest.mark.parametrize("wanted", ["application/statuslist+cwt", "text/*", "*/*, application/statuslist+jwt;q=0"])
def test_whoever_does_not_take_the_type_is_told(world: World, wanted: str) -> None:
    path = reference(world, world.access_token()).uri.removeprefix(ISSUER)
    assert world.get(path, accept=wanted).status == 406


def test_the_past_of_a_list_is_not_told(world: World) -> None:
    path = reference(world, world.access_token()).uri.removeprefix(ISSUER)
    assert world.get(f"{path}?time=1800000000").status == 501


@pytest.mark.parametrize("name", ["", "nothing", "a/b", "..", "%2e%2e", "x" * 500])
def test_a_list_that_does_not_exist_is_not_found(world: World, name: str) -> None:
    world.access_token()
    assert world.get(f"{LISTS}/{name}").status == 404


def test_the_metadata_names_where_all_lists_are_named(world: World) -> None:
    metadata = world.get("/.well-known/oauth-authorization-server").json
    assert metadata["status_list_aggregation_endpoint"] == ISSUER + LISTS
    place = reference(world, world.access_token())
    assert world.get(LISTS).json == {"status_lists": [place.uri]}
    assert published(world, place.uri).aggregation_uri == ISSUER + LISTS


def test_an_access_token_is_no_list_and_a_list_is_no_access_token(world: World) -> None:
    token = world.access_token()
    answer = world.get(reference(world, token).uri.removeprefix(ISSUER))
    assert world.introspect(answer.body.decode()).json == {"active": False}
