"""An API that looks at status lists: what it takes, what it refuses, and no fault admits anybody (standards 77)."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from ostiary.errors import ConfigurationError
from ostiary.protocol import base64url, jws, status_list, strict_json
from ostiary.protocol.jwk import SigningKey
from ostiary.resource_server import IssuerConfig, ResourceServer
from tests.resource_server.world import World, bearer, failed_check

PATH = "/status-lists/one"
MEDIA_TYPE = "application/statuslist+jwt"


@dataclass
class Lists:
    """One list of eight places at the issuer, of which place 3 is revoked."""

    world: World
    octets: bytes = b"\x08"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": MEDIA_TYPE})

    @property
    def uri(self) -> str:
        return self.world.issuer.issuer + PATH

    def publish(self, *, key: SigningKey | None = None, typ: str = status_list.TYP, **changed: Any) -> None:
        now = int(self.world.clock.now)
        members: dict[str, Any] = {"sub": self.uri, "iat": now, "exp": now + 600, "ttl": 30}
        members |= {"status_list": {"bits": 1, "lst": status_list.pack(self.octets)}}
        members = {name: value for name, value in (members | changed).items() if value is not None}
        body = jws.sign(strict_json.encode(members), key or self.world.issuer.key, typ=typ)
        self.world.issuer.raw[PATH] = (200, self.headers, body.encode())

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.world.issuer.raw[PATH] = (status, headers, body)

    def token(self, idx: object = 0, **changed: Any) -> str:
        claims = {"status": {"status_list": {"idx": idx, "uri": self.uri}}} | changed
        return self.world.token(**claims)

    @property
    def asked(self) -> int:
        return self.world.issuer.asked[PATH]


@pytest.fixture
def lists(world: World) -> Lists:
    made = Lists(world)
    made.publish()
    return made


@pytest.fixture
def guard(world: World) -> ResourceServer:
    return world.guard(revocation="status_list")


def refused(lists: Lists, guard: ResourceServer, token: str, status: int, check: str) -> str:
    answer, record = lists.world.refusal(guard, bearer(token))
    assert (answer.status, failed_check(record)) == (status, check)
    return f"{record.checks[-1].seen} {record.checks[-1].mend}"


def test_a_token_that_its_list_calls_valid_is_admitted(lists: Lists, guard: ResourceServer) -> None:
    assert guard.check_sync(bearer(lists.token(0)), ["orders:read"]).client_id == "orders-client"
    assert lists.world.issuer.accepted[PATH] == MEDIA_TYPE


async def _check(guard: ResourceServer, token: str) -> str:
    return (await guard.check(bearer(token), ["orders:read"])).client_id


def test_an_event_loop_gets_the_same_answer_with_one_question_for_all(lists: Lists, guard: ResourceServer) -> None:
    async def together() -> list[str]:
        return await asyncio.gather(*(_check(guard, lists.token(0, jti=f"{number}")) for number in range(20)))

    assert asyncio.run(together()) == ["orders-client"] * 20
    assert lists.asked == 1


def test_a_revoked_token_is_refused(lists: Lists, guard: ResourceServer) -> None:
    refused(lists, guard, lists.token(3), 401, "revocation")


@pytest.mark.parametrize("status", [1, 2, 3])
def test_any_status_but_valid_is_refused(lists: Lists, guard: ResourceServer, status: int) -> None:
    lists.publish(status_list={"bits": 2, "lst": status_list.pack(bytes((status << 2,)))})
    guard.check_sync(bearer(lists.token(0)))
    refused(lists, guard, lists.token(1), 401, "revocation")


@pytest.mark.parametrize("idx", [8, 9, 10_000, 2**53])
def test_a_place_outside_the_list_is_refused(lists: Lists, guard: ResourceServer, idx: int) -> None:
    refused(lists, guard, lists.token(idx), 401, "status")


@pytest.mark.parametrize("idx", [-1, "0", None, 0.0, True])
def test_a_place_that_is_no_number_is_refused_without_a_question(
    lists: Lists, guard: ResourceServer, idx: object
) -> None:
    refused(lists, guard, lists.token(idx), 401, "status")
    assert lists.asked == 0


def test_a_token_that_names_no_list_is_refused_and_the_mend_is_told(lists: Lists, guard: ResourceServer) -> None:
    assert "--status-list" in refused(lists, guard, lists.world.token(), 401, "status")


def test_a_token_that_is_not_good_itself_leads_to_no_question(lists: Lists, guard: ResourceServer) -> None:
    """ "MUST first perform the validation of the Referenced Token" """
    for token in (lists.token(0, exp=1), lists.token(0, aud="https://else.example"), lists.token(0)[:-6] + "AAAAAA"):
        lists.world.refusal(guard, bearer(token))
    assert lists.asked == 0


def test_with_another_choice_the_claim_is_not_looked_at(lists: Lists) -> None:
    guard = lists.world.guard(revocation="until_expiry")
    guard.check_sync(bearer(lists.token(3)))
    assert lists.asked == 0


# -- how long a list is kept -------------------------------------------------------------------------------------------


def test_a_list_is_kept_for_its_ttl_and_then_asked_for_anew(lists: Lists, guard: ResourceServer) -> None:
    token = lists.token(0)
    guard.check_sync(bearer(token))
    lists.octets = b"\x01"
    lists.publish()
    lists.world.clock.now += 29
    guard.check_sync(bearer(token))
    assert lists.asked == 1
    lists.world.clock.now += 1
    refused(lists, guard, token, 401, "revocation")
    assert lists.asked == 2


def test_a_list_is_never_kept_beyond_its_end(lists: Lists, guard: ResourceServer) -> None:
    lists.publish(exp=int(lists.world.clock.now) + 5, ttl=3000)
    for wait, asked in ((0, 1), (4, 1), (1, 2)):
        lists.world.clock.now += wait
        guard.check_sync(bearer(lists.token(0)))
        assert lists.asked == asked


@pytest.mark.parametrize("control", ["no-store", "max-age=0", "max-age=86400"])
def test_headers_of_http_change_nothing(lists: Lists, guard: ResourceServer, control: str) -> None:
    lists.headers["Cache-Control"] = control
    lists.publish()
    for wait, asked in ((0, 1), (29, 1), (1, 2)):
        lists.world.clock.now += wait
        guard.check_sync(bearer(lists.token(0)))
        assert lists.asked == asked


@pytest.mark.parametrize(("ttl", "kept"), [(None, 60), (0.001, 1), (10**9, 3600)])
def test_an_unreasonable_time_to_live_is_bounded(lists: Lists, guard: ResourceServer, ttl: object, kept: int) -> None:
    lists.publish(ttl=ttl, exp=None)
    token = lists.token(0, exp=int(lists.world.clock.now) + 10_000)
    for wait, asked in ((0, 1), (kept - 0.5, 1), (0.5, 2)):
        lists.world.clock.now += wait
        guard.check_sync(bearer(token))
        assert lists.asked == asked


def test_a_clock_that_is_set_back_makes_no_list_younger(lists: Lists, guard: ResourceServer) -> None:
    guard.check_sync(bearer(lists.token(0)))
    lists.world.clock.now += 30
    lists.world.clock.set(-25)
    guard.check_sync(bearer(lists.token(0)))
    assert lists.asked == 2


def test_few_lists_are_kept_however_many_tokens_name(lists: Lists, guard: ResourceServer) -> None:
    from ostiary.resource_server.status_lists import KEPT

    lists.publish()
    for number in range(KEPT + 5):
        path = f"/status-lists/{number}"
        now = int(lists.world.clock.now)
        uri = lists.world.issuer.issuer + path
        body = {"sub": uri, "iat": now, "ttl": 30, "status_list": {"bits": 1, "lst": status_list.pack(b"\0")}}
        signed = jws.sign(strict_json.encode(body), lists.world.issuer.key, typ=status_list.TYP)
        lists.world.issuer.raw[path] = (200, lists.headers, signed.encode())
        guard.check_sync(bearer(lists.token(0, status={"status_list": {"idx": 0, "uri": uri}})))
    assert len(guard.sources._status_lists[lists.world.issuer.issuer]._lists) == KEPT


# -- each fault of the list by itself: nothing is known of the token, so it is refused with 503 ------------------------


def unavailable(lists: Lists, guard: ResourceServer) -> None:
    answer, _ = lists.world.refusal(guard, bearer(lists.token(0)))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert lists.asked == 1


def test_a_list_by_another_key_of_that_name_is_no_list(lists: Lists, guard: ResourceServer) -> None:
    lists.publish(key=SigningKey.generate("ES256", kid=lists.world.issuer.key.kid))
    unavailable(lists, guard)


def test_a_list_by_a_key_that_the_issuer_does_not_publish_is_no_list(lists: Lists, guard: ResourceServer) -> None:
    lists.publish(key=SigningKey.generate("ES256"))
    unavailable(lists, guard)


def test_a_list_by_a_key_that_the_issuer_has_published_since_is_taken(lists: Lists, guard: ResourceServer) -> None:
    guard.check_sync(bearer(lists.token(0)))
    key = SigningKey.generate("ES256")
    lists.world.issuer.jwks.append(dict(key.verification_key.public_jwk()))
    lists.world.clock.now += 31
    lists.publish(key=key)
    guard.check_sync(bearer(lists.token(0)))


@pytest.mark.parametrize("typ", ["at+jwt", "JWT"])
def test_a_list_of_an_unknown_type_is_no_list(lists: Lists, guard: ResourceServer, typ: str) -> None:
    lists.publish(typ=typ)
    unavailable(lists, guard)


def test_the_list_of_another_address_is_no_list(lists: Lists, guard: ResourceServer) -> None:
    lists.publish(sub=lists.uri + "2")
    unavailable(lists, guard)


def test_an_expired_list_is_no_list(lists: Lists, guard: ResourceServer) -> None:
    lists.publish(exp=int(lists.world.clock.now) - 11)
    unavailable(lists, guard)


@pytest.mark.parametrize("bits", [0, 3, 16, "1", None])
def test_bits_other_than_1_2_4_8_are_no_list(lists: Lists, guard: ResourceServer, bits: object) -> None:
    lists.publish(status_list={"bits": bits, "lst": status_list.pack(b"\0")})
    unavailable(lists, guard)


@pytest.mark.parametrize(
    "raw",
    [zlib.compress(bytes(range(200)))[:-1], zlib.compress(bytes(status_list.MAX_OCTETS + 1)), b"", b"no zlib"],
    ids=["truncated", "bomb", "empty", "uncompressed"],
)
def test_what_does_not_inflate_in_bounds_is_no_list(lists: Lists, guard: ResourceServer, raw: bytes) -> None:
    lists.publish(status_list={"bits": 1, "lst": base64url.encode(raw).decode()})
    unavailable(lists, guard)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, {}, b""),
        (500, {}, b""),
        (206, {"Content-Type": MEDIA_TYPE}, b""),
        (200, {"Content-Type": MEDIA_TYPE}, b""),
        (200, {"Content-Type": MEDIA_TYPE}, b"a.b.c"),
        (200, {"Content-Type": MEDIA_TYPE}, b"x" * (status_list.MAX_TOKEN_LENGTH + 1)),
    ],
)
def test_what_is_no_answer_admits_nobody(
    lists: Lists, guard: ResourceServer, status: int, headers: dict[str, str], body: bytes
) -> None:
    lists.answer(status, headers, body)
    unavailable(lists, guard)


def test_an_answer_of_another_media_type_is_no_list(lists: Lists, guard: ResourceServer) -> None:
    lists.headers["Content-Type"] = "application/json"
    lists.publish()
    unavailable(lists, guard)


def test_a_redirect_is_not_followed(lists: Lists, guard: ResourceServer) -> None:
    _, _, body = lists.world.issuer.raw[PATH]
    lists.world.issuer.raw["/elsewhere"] = (200, lists.headers, body)
    lists.answer(302, {"Location": lists.world.issuer.issuer + "/elsewhere"}, b"")
    unavailable(lists, guard)
    assert lists.world.issuer.asked["/elsewhere"] == 0


def test_an_issuer_that_is_out_admits_nobody_once_the_list_is_old(lists: Lists, guard: ResourceServer) -> None:
    guard.check_sync(bearer(lists.token(0)))
    lists.answer(500, {}, b"")
    lists.world.clock.now += 29
    guard.check_sync(bearer(lists.token(0)))
    lists.world.clock.now += 1
    assert lists.world.refusal(guard, bearer(lists.token(0)))[0].status == 503


def test_after_a_failure_nobody_asks_again_for_a_second(lists: Lists, guard: ResourceServer) -> None:
    lists.answer(500, {}, b"")
    for wait, asked in ((0, 1), (0.9, 1), (0.1, 2)):
        lists.world.clock.now += wait
        assert lists.world.refusal(guard, bearer(lists.token(0)))[0].status == 503
        assert lists.asked == asked
    lists.publish()
    lists.world.clock.now += 1
    guard.check_sync(bearer(lists.token(0)))


# -- where a list may stand --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/list",
        "{issuer}.evil.example/list",
        "{issuer}@evil.example/list",
        "{issuer}",
        "http://127.0.0.1/list",
        "file:///etc/passwd",
        "//evil.example/list",
        "{issuer}/a b",
        "{issuer}/\u00e9",
        "{issuer}/a\r\nb",
    ],
)
def test_a_token_leads_to_no_other_address(lists: Lists, guard: ResourceServer, uri: str) -> None:
    named = uri.format(issuer=lists.world.issuer.issuer)
    before = dict(lists.world.issuer.asked)
    refused(lists, guard, lists.token(0, status={"status_list": {"idx": 0, "uri": named}}), 401, "status")
    asked = {path for path in lists.world.issuer.asked if path not in before}
    assert asked <= {"/jwks", "/.well-known/oauth-authorization-server"}


def test_an_origin_that_the_operator_names_is_taken(lists: Lists) -> None:
    from tests.resource_server.issuer_server import running_issuer

    with running_issuer() as host:
        uri = host.issuer + PATH
        lists.publish(sub=uri)
        host.raw[PATH] = lists.world.issuer.raw.pop(PATH)
        config = IssuerConfig(lists.world.issuer.issuer, revocation="status_list", status_list_origins=(host.issuer,))
        guard = lists.world.guard(issuer=config)
        guard.check_sync(bearer(lists.token(0, status={"status_list": {"idx": 0, "uri": uri}})))
        assert host.asked[PATH] == 1


@pytest.mark.parametrize(
    "origin", ["https://a.example/", "https://A.example", "http://a.example", "https://u@a.example", "a.example", ""]
)
def test_what_is_no_origin_cannot_be_named(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="status_list_origins"):
        IssuerConfig("https://auth.example", status_list_origins=(origin,))


def test_the_choice_needs_no_identity_of_the_api(world: World) -> None:
    assert world.guard(revocation="status_list", credential=None)
