"""The JWKS: what is in it, how long it may be kept, and that the next request of every process knows a rotation."""

from __future__ import annotations

import json

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.authorization_server.world import World


def test_a_token_verifies_with_the_published_keys(world: World) -> None:
    """standards 65: an independent reader of the JWKS takes our token and finds the claims of RFC 9068."""
    token = world.access_token()
    keys = KeySet.import_key_set(world.get("/jwks").json)
    claims = jwt.decode(token, keys, algorithms=["ES256"]).claims
    assert {"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "grant_id", "rev"} <= claims.keys()


def test_it_may_be_kept_for_the_stated_time(world: World) -> None:
    assert world.get("/jwks").headers["cache-control"] == "public, max-age=300"


def test_an_unchanged_set_is_not_sent_again(world: World) -> None:
    etag = world.get("/jwks").headers["etag"]
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = world.get("/jwks", if_none_match=sent)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
        assert "content-length" not in answer.headers
    assert world.get("/jwks", if_none_match='"other"').status == 200


def test_a_rotation_by_another_process_shows_in_the_next_answer(world: World) -> None:
    """standards 117"""
    from tests.authorization_server.world import World as Process

    before = world.get("/jwks")
    other = Process(world.folder, clock=world.clock)
    other.run(other.signing_keys.rotate("ES256", compromised=True))
    other.close()
    after = world.get("/jwks")
    assert after.headers["etag"] != before.headers["etag"]
    assert world.get("/jwks", if_none_match=before.headers["etag"]).status == 200


def test_kids_are_unique_and_no_private_part_is_published(world: World) -> None:
    """standards 117"""
    keys = json.loads(world.get("/jwks").body)["keys"]
    assert len({key["kid"] for key in keys}) == len(keys) > 0
    assert not any("d" in key for key in keys)


def test_head_answers_without_a_body(world: World) -> None:
    answer = world.run(world.call("HEAD", "/jwks", b"", {}))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == world.get("/jwks").headers["content-length"]
