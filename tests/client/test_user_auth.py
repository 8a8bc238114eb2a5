"""UserAuth with a real API, a real provider and real HTTP: refreshes, what is kept when, step-up, userinfo."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import httpx2
import pytest
from joserfc.jwk import ECKey

from ostiary.client import (
    Application,
    ConfigurationError,
    SignInRequired,
    StepUpRequired,
    Unavailable,
    UserAuth,
    UserTokenFile,
    UserTokens,
    VerificationError,
)
from tests.client.conftest import TurnedClock
from tests.client.http_server import Received, Reply, Server
from tests.client.openid_provider import Members, OpenIdProvider

Bend = Callable[[Members], object]


@pytest.fixture
def tokens(application: Application, provider: OpenIdProvider, api: Server) -> UserTokens:
    """Ada's, for the API."""
    request = application.begin(scope="openid orders:read", resource=api.url)
    return application.finish(request.pending, provider.callback(request.url))


def challenging(api: Server, challenge: str, *admitted: str) -> None:
    """Let the API answer 401 with ``challenge`` to every token that is not ``admitted``."""

    def answer(received: Received) -> Reply:
        sent = received.headers.get("authorization", "").removeprefix("Bearer ")
        return Reply(200, sent.encode()) if sent in admitted else Reply(401, b"", {"WWW-Authenticate": challenge})

    api.routes["/orders"] = answer


INVALID = 'Bearer error="invalid_token", error_description="expired"'


def get(auth: UserAuth, api: Server) -> httpx2.Response:
    with httpx2.Client(auth=auth) as http:
        return http.get(f"{api.url}/orders")


async def get_async(auth: UserAuth, api: Server) -> httpx2.Response:
    async with httpx2.AsyncClient(auth=auth) as http:
        return await http.get(f"{api.url}/orders")


def test_a_call_carries_the_users_token(application: Application, tokens: UserTokens, api: Server) -> None:
    assert get(UserAuth(application, tokens), api).text == "Bearer access-1"
    assert asyncio.run(get_async(UserAuth(application, tokens), api)).text == "Bearer access-1"


def test_an_old_token_is_refreshed_once_however_many_wait(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    clock.now += 600
    saved: list[UserTokens] = []
    auth = UserAuth(application, tokens, save=saved.append)
    told: list[str] = []
    callers = [threading.Thread(target=lambda: told.append(get(auth, api).text)) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    async def many() -> list[httpx2.Response]:
        return await asyncio.gather(*(get_async(auth, api) for _ in range(8)))

    assert {*told, *(response.text for response in asyncio.run(many()))} == {"Bearer access-2"}
    assert provider.refreshes == 1
    assert [kept.refresh_token for kept in saved] == ["refresh-2"]
    assert auth.tokens == saved[0]


def test_a_refresh_that_takes_too_long_is_waited_for_and_its_refresh_token_not_used_twice(
    application: Application,
    provider: OpenIdProvider,
    tokens: UserTokens,
    api: Server,
    clock: TurnedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """attack 28"""
    clock.now += 600
    gate = threading.Event()
    provider.before_refresh = lambda: gate.wait(10)
    auth = UserAuth(application, tokens)
    with monkeypatch.context() as hasty:
        hasty.setattr("ostiary.client.token_source.FLIGHT_LIMIT", 0.0)
        for _ in range(2):
            with pytest.raises(Unavailable):
                get(auth, api)
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "ostiary-token":
            thread.join(10)
    assert (provider.refreshes, provider.ended) == (1, False)
    assert auth.tokens.refresh_token == "refresh-2"


def test_a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have(
    application: Application, tokens: UserTokens, api: Server, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now += 600
    auth = UserAuth(application, tokens)
    with auth._turn():
        monkeypatch.setattr("ostiary.client.user_auth.os.getpid", lambda: -1)
        assert get(auth, api).text == "Bearer access-2"


def test_a_token_is_renewed_before_it_expires(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    clock.now += 599
    assert get(UserAuth(application, tokens), api).text == "Bearer access-2"


def test_new_tokens_are_saved_before_they_are_used(
    application: Application, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    clock.now += 600
    used_before: list[int] = []
    auth = UserAuth(application, tokens, save=lambda _: used_before.append(len(api.received)))
    assert get(auth, api).status_code == 200
    assert used_before == [0]


def test_tokens_that_could_not_be_saved_are_used_by_nobody_and_saved_again(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    clock.now += 600
    saved: list[UserTokens] = []

    def save(new: UserTokens) -> None:
        saved.append(new)
        if len(saved) == 1:
            raise OSError("disk full")

    auth = UserAuth(application, tokens, save=save)
    with pytest.raises(OSError, match="disk full"):
        get(auth, api)
    assert api.received == []
    assert auth.tokens == tokens
    assert get(auth, api).text == "Bearer access-2"
    assert provider.refreshes == 1
    assert [new.refresh_token for new in saved] == ["refresh-2", "refresh-2"]
    clock.now += 600
    assert get(auth, api).text == "Bearer access-3"


def test_a_401_with_invalid_token_is_tried_once_more_with_a_fresh_token(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server
) -> None:
    challenging(api, INVALID, "access-2")
    assert get(UserAuth(application, tokens), api).text == "access-2"
    assert provider.refreshes == 1


def test_an_asynchronous_401_too(application: Application, tokens: UserTokens, api: Server) -> None:
    challenging(api, INVALID, "access-2")
    assert asyncio.run(get_async(UserAuth(application, tokens), api)).text == "access-2"


def test_a_second_401_is_the_answer(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server
) -> None:
    challenging(api, INVALID)
    auth = UserAuth(application, tokens)
    assert get(auth, api).status_code == 401
    assert get(auth, api).status_code == 401
    assert provider.refreshes == 1


@pytest.mark.parametrize("challenge", ["Basic realm=x", "Bearer", 'Bearer error="invalid_request"', "Bearer ,,="])
def test_a_401_for_another_reason_spends_no_refresh_token(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, challenge: str
) -> None:
    challenging(api, challenge)
    assert get(UserAuth(application, tokens), api).status_code == 401
    assert provider.refreshes == 0


STEP_UP = 'Bearer error="insufficient_user_authentication", acr_values="phr urn:x", max_age="60"'


@pytest.mark.parametrize("call", [get, lambda auth, api: asyncio.run(get_async(auth, api))])
def test_a_step_up_is_an_error_that_the_next_sign_in_takes(
    application: Application,
    provider: OpenIdProvider,
    tokens: UserTokens,
    api: Server,
    call: Callable[[UserAuth, Server], object],
) -> None:
    """standards 116"""
    challenging(api, STEP_UP)
    with pytest.raises(StepUpRequired, match="phr, urn:x and a sign-in of at most 60 seconds ago") as caught:
        call(UserAuth(application, tokens), api)
    assert provider.refreshes == 0
    pending = application.begin(scope=tokens.scope, resource=tokens.resource, **caught.value.demand()).pending
    assert (pending.acr_values, pending.max_age) == (("phr", "urn:x"), 60)


def test_a_step_up_after_a_refresh_is_told_too(application: Application, tokens: UserTokens, api: Server) -> None:
    def answer(received: Received) -> Reply:
        first = received.headers["authorization"] == "Bearer access-1"
        return Reply(401, b"", {"WWW-Authenticate": INVALID if first else STEP_UP})

    api.routes["/orders"] = answer
    with pytest.raises(StepUpRequired):
        get(UserAuth(application, tokens), api)


@pytest.mark.parametrize("max_age", ["-1", "soon", "9" * 10, ""])
def test_an_unusable_demand_is_left_aside(
    application: Application, tokens: UserTokens, api: Server, max_age: str
) -> None:
    challenging(api, f'Bearer error="insufficient_user_authentication", max_age="{max_age}"')
    with pytest.raises(StepUpRequired, match="another sign-in") as caught:
        get(UserAuth(application, tokens), api)
    assert caught.value.max_age is None


def test_an_ended_grant_asks_for_a_new_sign_in(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    provider.ended = True
    clock.now += 600
    with pytest.raises(SignInRequired, match="sign in again") as caught:
        get(UserAuth(application, tokens), api)
    assert (caught.value.code, caught.value.trace) == ("invalid_grant", "tr_1")


def test_without_a_refresh_token_the_user_signs_in_again(
    application: Application, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    clock.now += 600
    with pytest.raises(SignInRequired, match="no refresh token"):
        get(UserAuth(application, replace(tokens, refresh_token=None)), api)


def test_a_server_that_gives_no_new_refresh_token_leaves_the_old_one(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    provider.bend_tokens = lambda members: members.pop("refresh_token")
    clock.now += 600
    auth = UserAuth(application, tokens)
    get(auth, api)
    assert auth.tokens.refresh_token == "refresh-1"


@pytest.mark.parametrize(
    ("bend", "check"),
    [
        (lambda claims: claims.update(sub="usr_eve"), "subject"),
        (lambda claims: claims.update(iss="https://evil.example.com"), "issuer"),
        (lambda claims: claims.update(aud="other"), "audience"),
        (lambda claims: claims.update(auth_time=claims["auth_time"] + 600), "auth_time"),
        (lambda claims: claims.update(nonce="another"), "nonce"),
        (lambda claims: claims.update(at_hash="A" * 22), "token_hash"),
    ],
)
def test_an_id_token_of_a_refresh_may_not_change_who_signed_in(
    application: Application,
    provider: OpenIdProvider,
    tokens: UserTokens,
    api: Server,
    clock: TurnedClock,
    bend: Bend,
    check: str,
) -> None:
    """OpenID Connect Core 12.2"""
    provider.bend_id_token = bend
    clock.now += 600
    auth = UserAuth(application, tokens)
    with pytest.raises(VerificationError) as caught:
        get(auth, api)
    assert caught.value.check == check
    assert (api.received, auth.tokens) == ([], replace(tokens, refresh_token="refresh-2"))


@pytest.mark.parametrize(
    "fault",
    [
        lambda provider: provider.server.routes.update({"/jwks": lambda _: Reply(302, b"", {"Location": "/"})}),
        lambda provider: provider.server.routes.update({"/jwks": lambda _: Reply(404)}),
        lambda provider: provider.header.update(kid="op-2"),
        lambda provider: setattr(provider, "bend_id_token", lambda claims: claims.update(sub="usr_eve")),
        lambda provider: setattr(provider, "bend_tokens", lambda members: members.update(id_token=[])),
        lambda provider: setattr(provider, "bend_tokens", lambda members: members.pop("access_token")),
        lambda provider: setattr(provider, "bend_tokens", lambda members: members.update(token_type="mac")),
    ],
    ids=["keys redirect", "no keys", "unknown key", "another user", "no text", "no access token", "another type"],
)
def test_the_refresh_token_of_an_answer_that_is_refused_otherwise_is_saved_and_used_next(
    application: Application,
    provider: OpenIdProvider,
    tokens: UserTokens,
    api: Server,
    clock: TurnedClock,
    fault: Callable[[OpenIdProvider], object],
) -> None:
    """attack 28: one bad answer does not make the refresh token look stolen."""
    clock.now += 3600
    routes, header, good = dict(provider.server.routes), dict(provider.header), provider.bend_tokens
    fault(provider)
    saved: list[UserTokens] = []
    auth = UserAuth(application, tokens, save=saved.append)
    with pytest.raises(VerificationError):
        get(auth, api)
    assert api.received == []
    assert saved == [auth.tokens] == [replace(tokens, refresh_token="refresh-2")]
    provider.server.routes.update(routes)
    provider.header, provider.bend_tokens, provider.bend_id_token = header, good, lambda claims: None
    clock.now += 60
    assert get(auth, api).text == "Bearer access-3"
    assert (provider.ended, saved[1:]) == (False, [auth.tokens])


def test_a_refresh_token_that_could_be_neither_used_nor_saved_is_saved_and_used_next(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    """attack 28"""
    saved: list[UserTokens] = []

    def save(new: UserTokens) -> None:
        saved.append(new)
        if len(saved) == 1:
            raise OSError("disk full")

    clock.now += 600
    auth = UserAuth(application, tokens, save=save)
    provider.bend_id_token = lambda claims: claims.update(sub="usr_eve")
    with pytest.raises(OSError, match="disk full"):
        get(auth, api)
    provider.bend_id_token = lambda claims: None
    assert get(auth, api).text == "Bearer access-3"
    assert [new.refresh_token for new in saved] == ["refresh-2", "refresh-2", "refresh-3"]
    assert provider.ended is False


def test_a_refresh_token_that_another_process_saved_without_an_access_token_is_used(
    application: Application, provider: OpenIdProvider, token_file: UserTokenFile, api: Server, clock: TurnedClock
) -> None:
    challenging(api, INVALID, "access-3")
    first = UserAuth.from_file(token_file.path, application=application)
    second = UserAuth.from_file(token_file.path, application=application)
    provider.bend_id_token = lambda claims: claims.update(sub="usr_eve")
    with pytest.raises(VerificationError):
        get(first, api)
    provider.bend_id_token = lambda claims: None
    assert get(second, api).text == "access-3"
    assert provider.ended is False


def test_the_id_token_of_a_refresh_replaces_the_old_one(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    clock.now += 600
    auth = UserAuth(application, tokens)
    get(auth, api)
    assert auth.tokens.claims["iat"] == 1_800_000_600
    assert auth.tokens.id_token != tokens.id_token


def test_a_refreshed_id_token_that_cannot_be_verified_now_is_left_aside_and_the_refresh_token_is_not_lost(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    provider.server.routes["/jwks"] = lambda _: Reply(503)
    clock.now += 3600
    auth = UserAuth(application, tokens)
    assert get(auth, api).text == "Bearer access-2"
    assert (auth.tokens.refresh_token, auth.tokens.id_token) == ("refresh-2", tokens.id_token)


# -- where a token may go ----------------------------------------------------------------------------------------------


def test_a_token_goes_to_its_own_api_alone(application: Application, tokens: UserTokens) -> None:
    with Server() as other, httpx2.Client(auth=UserAuth(application, tokens)) as http:
        with pytest.raises(ConfigurationError, match="is not sent to"):
            http.get(f"{other.url}/orders")
        assert other.received == []


def test_a_token_without_an_api_goes_nowhere_unless_told(
    application: Application, tokens: UserTokens, api: Server
) -> None:
    nameless = replace(tokens, resource=None)
    with pytest.raises(ConfigurationError, match="origins="):
        get(UserAuth(application, nameless), api)
    assert get(UserAuth(application, nameless, origins=[api.url]), api).status_code == 200


@pytest.mark.parametrize("other", [{"issuer": "https://evil.example.com"}, {"client_id": "other"}])
def test_tokens_of_another_issuer_or_client_are_not_taken(
    application: Application, tokens: UserTokens, other: dict[str, str]
) -> None:
    """attack 21: a refresh token goes to the issuer that gave it."""
    with pytest.raises(ConfigurationError, match="apart"):
        UserAuth(application, replace(tokens, **other))  # type: ignore[arg-type]


# -- userinfo ----------------------------------------------------------------------------------------------------------


def test_userinfo_is_of_the_same_user(application: Application, provider: OpenIdProvider, tokens: UserTokens) -> None:
    auth = UserAuth(application, tokens)
    assert auth.userinfo() == asyncio.run(auth.userinfo_async()) == {"sub": "usr_ada", "name": "Ada"}


@pytest.mark.parametrize("bend", [lambda members: members.update(sub="usr_eve"), lambda members: members.clear()])
def test_userinfo_of_another_user_is_refused(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, bend: Bend
) -> None:
    """standards 102"""
    provider.bend_userinfo = bend
    with pytest.raises(VerificationError) as caught:
        UserAuth(application, tokens).userinfo()
    assert caught.value.check == "subject"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({}, None),
        ({"sub": "usr_eve"}, "subject"),
        ({"iss": "https://evil.example.com"}, "issuer"),
        ({"aud": "other"}, "audience"),
    ],
)
def test_signed_userinfo_is_verified(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, changes: Members, check: str | None
) -> None:
    members = {"sub": "usr_ada", "iss": provider.issuer, "aud": "app"} | changes
    provider.bend_userinfo = lambda _: provider.signed(members)
    if check is None:
        assert UserAuth(application, tokens).userinfo() == members
        provider.signer = ECKey.generate_key("P-256")
        check = "signature"
    with pytest.raises(VerificationError) as caught:
        UserAuth(application, tokens).userinfo()
    assert caught.value.check == check


def test_userinfo_without_openid_is_one_sentence(application: Application, tokens: UserTokens) -> None:
    with pytest.raises(ConfigurationError, match="scope openid"):
        UserAuth(application, replace(tokens, claims={})).userinfo()


# -- kept in a file ----------------------------------------------------------------------------------------------------


@pytest.fixture
def token_file(tmp_path: Path, tokens: UserTokens) -> UserTokenFile:
    file = UserTokenFile(tmp_path / "ada.json")
    file.save(tokens)
    return file


def test_the_file_is_its_owners_alone_and_renewed_in_place(
    application: Application, token_file: UserTokenFile, api: Server, clock: TurnedClock
) -> None:
    clock.now += 600
    assert get(UserAuth.from_file(token_file.path, application=application), api).text == "Bearer access-2"
    assert token_file.load().refresh_token == "refresh-2"
    assert token_file.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in token_file.path.parent.iterdir()) == [".ada.json.lock", "ada.json"]


def test_a_file_that_others_can_read_is_refused(application: Application, token_file: UserTokenFile) -> None:
    token_file.path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        UserAuth.from_file(token_file.path, application=application)


def test_what_another_process_renewed_is_taken_and_the_old_refresh_token_never_used_twice(
    application: Application, provider: OpenIdProvider, token_file: UserTokenFile, api: Server, clock: TurnedClock
) -> None:
    """attack 28: two holders of one refresh token do not look like a thief."""
    first = UserAuth.from_file(token_file.path, application=application)
    second = UserAuth.from_file(token_file.path, application=application)
    clock.now += 600
    assert get(first, api).text == "Bearer access-2"
    assert get(second, api).text == "Bearer access-2"
    assert (provider.refreshes, provider.ended) == (1, False)


def _call(path: Path, url: str) -> None:
    with httpx2.Client(auth=UserAuth.from_file(path)) as http:
        assert http.get(f"{url}/orders").status_code == 200


def test_processes_at_once_refresh_once(
    provider: OpenIdProvider, token_file: UserTokenFile, api: Server, clock: TurnedClock
) -> None:
    challenging(api, INVALID, "access-2")
    clock.now = time.time()  # the clock of other processes is the machine's
    tokens = token_file.load()
    past = replace(tokens.access, obtained_at=0.0, expires_at=1.0)
    token_file.save(replace(tokens, access=past))
    spawn = get_context("spawn")
    processes = [spawn.Process(target=_call, args=(token_file.path, api.url)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (provider.refreshes, provider.ended) == (1, False)


def test_another_user_in_the_file_is_not_served_as_the_first(
    application: Application, token_file: UserTokenFile, api: Server, clock: TurnedClock
) -> None:
    auth = UserAuth.from_file(token_file.path, application=application)
    other = replace(token_file.load(), claims={"sub": "usr_eve"}, refresh_token="refresh-eve")
    token_file.save(other)
    clock.now += 600
    with pytest.raises(ConfigurationError, match="Somebody else"):
        get(auth, api)
    assert api.received == []


def test_tokens_for_another_api_in_the_file_do_not_go_to_the_first(
    application: Application, token_file: UserTokenFile, api: Server, clock: TurnedClock
) -> None:
    auth = UserAuth.from_file(token_file.path, application=application)
    elsewhere = replace(token_file.load(), resource="https://pay.example.com", refresh_token="refresh-pay")
    token_file.save(elsewhere)
    clock.now += 600
    with pytest.raises(ConfigurationError, match=r"for https://pay\.example\.com meanwhile"):
        get(auth, api)
    assert api.received == []


def test_a_new_sign_in_without_a_refresh_token_is_taken_from_the_file(
    application: Application, provider: OpenIdProvider, token_file: UserTokenFile, api: Server, clock: TurnedClock
) -> None:
    token_file.save(replace(token_file.load(), refresh_token=None))
    auth = UserAuth.from_file(token_file.path, application=application)
    clock.now += 600
    later = replace(token_file.load().access, value="access-9", expires_at=clock.now + 600)
    token_file.save(replace(token_file.load(), access=later))
    assert get(auth, api).text == "Bearer access-9"


def test_tokens_that_could_not_be_saved_do_not_replace_a_newer_sign_in(
    application: Application,
    token_file: UserTokenFile,
    api: Server,
    clock: TurnedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    auth = UserAuth.from_file(token_file.path, application=application)
    clock.now += 600
    with monkeypatch.context() as broken:
        broken.setattr("ostiary.client.user_token_file.replace_secret_file", _disk_full)
        with pytest.raises(OSError, match="disk full"):
            get(auth, api)
    other = replace(token_file.load(), claims={"sub": "usr_eve"}, refresh_token="refresh-eve")
    token_file.save(other)
    with pytest.raises(ConfigurationError, match="Somebody else"):
        get(auth, api)
    assert token_file.load() == other


def _disk_full(*_: object) -> None:
    raise OSError("disk full")


def test_a_broken_file_tells_nothing_of_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "ada.json"
    path.write_text('{"refresh_token": "ost_rt_secret"}')
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        UserAuth.from_file(path)
    assert "secret" not in str(caught.value)


def test_a_provider_that_does_not_answer_is_no_reason_to_sign_in_again(
    application: Application, provider: OpenIdProvider, tokens: UserTokens, api: Server, clock: TurnedClock
) -> None:
    provider.server.routes["/token"] = lambda _: Reply(503)
    clock.now += 600
    auth = UserAuth(application, tokens)
    with pytest.raises(Unavailable):
        get(auth, api)
    assert auth.tokens.refresh_token == "refresh-1"
