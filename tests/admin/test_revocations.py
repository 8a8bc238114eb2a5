"""One route ends whatever an operator names, and another tells which APIs know."""

from __future__ import annotations

from typing import Any

import pytest

from ostiary.model.feed_reader import LIFE, FeedReader
from ostiary.model.refresh_token import RefreshToken
from ostiary.model.token import TAKEN_BEYOND_ITS_END
from ostiary.protocol import token_format
from ostiary.storage.base import UnitOfWork
from tests.admin.people import give
from tests.admin.room import Room, public
from tests.authorization_server.world import NOW, signing_key
from tests.revocation.everything import certificate

ORDERS = "https://orders.example.com"
REFRESH = token_format.generate(token_format.REFRESH_TOKEN, "abcdef")


@pytest.fixture
def shop(room: Room) -> Room:
    """The room with the API of the orders, its identity ``api_orders``, the client ``shop``, and Ada, who uses it."""
    key = [{"key": public(signing_key("api_orders-1"))}]
    api: dict[str, Any] = {"identifier": ORDERS, "name": "Orders", "scopes": {"orders:read": ""}}
    room.make("/apis", api | {"client_id": "api_orders", "keys": key})
    shop_key = [{"key": public(signing_key("shop-1"))}]
    room.make("/clients", {"client_id": "shop", "name": "Shop", "scopes": {ORDERS: ["orders:read"]}, "keys": shop_key})
    ada = room.make("/users", {"username": "ada"})["user_id"]
    room.world.write(lambda work: give(work, ada, "shop", NOW))
    room.world.write(lambda work: work.refresh_tokens.add(_refresh(ada)))
    room.world.write(lambda work: work.certificates.add(certificate("a1", proof="operator")))
    return room


def _refresh(user_id: str) -> RefreshToken:
    end = int(NOW) + 3600
    return RefreshToken(token_format.digest(REFRESH), "gr_1", "shop", user_id, 0, "", int(NOW), end, end)


def revoke(room: Room, kind: str, name: str, **members: Any) -> Any:
    return room.ask("POST", "/revocations", {"kind": kind, "name": name, **members})


def ended(room: Room, kind: str, name: str, **members: Any) -> Any:
    answer = revoke(room, kind, name, **members)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told | {"ended": {kind: count for kind, count in told["ended"].items() if count}}


def a_token(room: Room) -> str:
    return room.world.access_token("shop", resource=ORDERS)


def log(room: Room) -> list[tuple[str, str, int]]:
    rows = room.world.read(lambda work: work.revocations.since(0))
    return [(row.kind, row.value, row.position) for row in rows]


KEY = signing_key("shop-1").verification_key.thumbprint


@pytest.mark.parametrize(
    ("kind", "name", "members", "of", "counts", "row"),
    [
        ("client", "shop", {}, "shop", {"clients": 1, "grants": 1, "certificates": 1}, ("client", "shop")),
        ("session", "ses_1", {}, "ses_1", {"sessions": 1, "grants": 1}, ("sid", "ses_1")),
        ("grant", "gr_1", {}, "gr_1", {"grants": 1}, ("grant", "gr_1")),
        ("token", REFRESH, {}, "gr_1", {"grants": 1}, ("grant", "gr_1")),
        ("key", KEY, {}, KEY, {"keys": 1}, ("client_key", KEY)),
        ("key", "shop-1", {"client_id": "shop"}, KEY, {"keys": 1}, ("client_key", KEY)),
        ("certificate", "0A:1", {}, "a1", {"certificates": 1}, ("client_key", "x5t-a1")),
    ],
)
def test_it_ends_what_is_named_once_and_says_what_and_where_in_the_log(
    shop: Room, kind: str, name: str, members: dict[str, str], of: str, counts: dict[str, int], row: tuple[str, str]
) -> None:
    first = ended(shop, kind, name, reason="stolen", **members)
    assert (first["name"], first["ended_now"], first["ended"]) == (of, True, counts)
    assert log(shop) == [(*row, first["position"])]
    tags = shop.tags()
    again = ended(shop, kind, name, **members)
    assert (again["ended_now"], again["ended"], again["position"]) == (False, {}, first["position"])
    assert shop.tags() == tags
    assert "stolen" in {event.reason for event in shop.world.audit() if event.actor == "admin:chief"}


@pytest.mark.parametrize("by", ["id", "user name"])
def test_a_user_ends_by_id_and_by_user_name(shop: Room, by: str) -> None:
    user_id = shop.ask("GET", "/users/show?user=ada").json()["user_id"]
    answer = ended(shop, "user", user_id if by == "id" else "ada")
    assert (answer["name"], answer["ended"]) == (user_id, {"users": 1, "sessions": 1, "grants": 1})
    assert log(shop) == [("sub", user_id, answer["position"])]


@pytest.mark.parametrize("wanted", ["self-contained", "reference"])
@pytest.mark.parametrize("by", ["itself", "jti"])
def test_an_access_token_ends_by_itself_and_by_its_jti(shop: Room, wanted: str, by: str) -> None:
    shop.ask("PATCH", f"/apis/change?identifier={ORDERS}", {"token_format": wanted})
    token, other = a_token(shop), a_token(shop)
    jti = shop.world.introspect(token).json["jti"]
    answer = ended(shop, "token", token if by == "itself" else jti)
    assert (answer["name"], answer["ended"], answer["live_tokens"]) == (jti, {"tokens": 1}, 1)
    assert [shop.world.introspect(one).json["active"] for one in (token, other)] == [False, True]


@pytest.mark.parametrize("by", ["itself", "jti"])
def test_an_access_token_ends_also_while_an_api_may_take_it_beyond_its_end(shop: Room, by: str) -> None:
    token = a_token(shop)
    jti = shop.world.introspect(token).json["jti"]
    shop.world.clock.now += 600 + TAKEN_BEYOND_ITS_END - 1
    while shop.world.run(shop.world.storage.expire(int(shop.world.clock()))):
        pass
    answer = ended(shop, "token", token if by == "itself" else jti)
    assert (answer["name"], answer["ended"]) == (jti, {"tokens": 1})


def test_it_counts_the_access_tokens_of_a_client(shop: Room) -> None:
    for _ in range(3):
        a_token(shop)
    assert ended(shop, "client", "shop")["live_tokens"] == 3
    assert ended(shop, "client", "shop")["live_tokens"] == 0


@pytest.mark.parametrize(
    ("kind", "name", "word"),
    [
        ("client", "nobody", "ostiary client list"),
        ("user", "nobody", "nobody"),
        ("session", "nothing", "ostiary session list"),
        ("grant", "nothing", "ostiary grant list"),
        ("grant", "gr_shop", "ostiary grant list"),
        ("token", "nothing", "ostiary token list"),
        ("token", token_format.generate(token_format.REFRESH_TOKEN, "abcdef"), "no such refresh token"),
        ("token", token_format.generate(token_format.REFERENCE_ACCESS_TOKEN, "abcdef"), "no such access token"),
        ("key", "shop-1", "a kid needs its client"),
        ("certificate", "ff", "ostiary cert list"),
    ],
)
def test_what_does_not_exist_is_not_found_and_nothing_ends(shop: Room, kind: str, name: str, word: str) -> None:
    answer = revoke(shop, kind, name)
    assert (answer.status_code, word in answer.json()["error_description"]) == (404, True), answer.text
    assert log(shop) == []


def test_a_forged_token_does_not_end_the_genuine_one(shop: Room) -> None:
    """The jti of a genuine one, the key of a thief."""
    genuine = a_token(shop)
    head, body, signature = genuine.split(".")
    forged = ".".join((head, body, signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")))
    answer = revoke(shop, "token", forged)
    assert answer.status_code == 400
    assert forged not in answer.text
    assert shop.world.introspect(genuine).json["active"]


@pytest.mark.parametrize(
    "text",
    [
        token_format.generate(token_format.SESSION, "abcdef"),
        REFRESH[:-1] + ("0" if REFRESH[-1] != "0" else "1"),
        "a.b.c",
    ],
)
def test_what_is_no_token_is_refused_and_never_repeated(shop: Room, text: str) -> None:
    answer = revoke(shop, "token", text)
    assert (answer.status_code, log(shop)) == (400, [])
    assert text not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "planet", "name": "earth"},
        {"kind": "client"},
        {"kind": "client", "name": ""},
        {"kind": "client", "name": "two\nlines"},
        {"kind": "client", "name": "shop", "reason": "x" * 501},
        {"kind": "client", "name": "shop", "client": "shop"},
    ],
)
def test_what_is_no_revocation_is_refused(shop: Room, body: dict[str, str]) -> None:
    assert shop.ask("POST", "/revocations", body).status_code == 422
    assert log(shop) == []


def test_whoever_may_only_read_ends_nothing(shop: Room) -> None:
    body = {"kind": "client", "name": "shop"}
    answer = shop.ask("POST", "/revocations", body, token=shop.token("admin:read"))
    assert (answer.status_code, log(shop)) == (403, [])


def test_nobody_ends_anything_without_a_token(shop: Room) -> None:
    assert shop.ask("POST", "/revocations", {"kind": "client", "name": "shop"}, headers={}).status_code == 401
    assert log(shop) == []


def test_it_tells_which_apis_have_applied_a_position(shop: Room) -> None:
    position = ended(shop, "client", "shop")["position"]

    async def read(work: UnitOfWork) -> None:
        for name, applied in (("a", position), ("b", position - 1)):
            end = int(NOW) + LIFE
            await work.feed_readers.add(FeedReader(name.encode() * 32, "api_orders", "node", applied, int(NOW), end))

    shop.world.write(read)
    answer = shop.ask("GET", f"/revocations/readers?position={position}", token=shop.token("admin:read"))
    [orders] = [row for row in answer.json() if row["identifier"] == ORDERS]
    assert (orders["readers"], orders["applied"], orders["behind"]) == (2, 1, 1)
    assert shop.ask("GET", "/revocations/readers?position=-1").status_code == 422
