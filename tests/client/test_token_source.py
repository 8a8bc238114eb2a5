"""One token for everybody: single flight, renewal and failure, for threads and tasks, under a turned clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from ostiary.client import ClientAuth, TokenRequestRefused
from ostiary.client.token_request import AccessToken
from ostiary.client.token_source import TokenSource
from ostiary.errors import Unavailable
from tests.client.conftest import TurnedClock
from tests.client.http_server import Server
from tests.client.oracle import AuthorizationServer, reply_json

CALLERS = 50
WAIT = 10


class Source:
    """What a TokenSource asks: gives ``token-N``, counts, waits at ``gate``, raises ``error`` while it is set."""

    def __init__(self, clock: TurnedClock, life: float = 600) -> None:
        self.clock = clock
        self.life = life
        self.asked = 0
        self.error: BaseException | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def __call__(self) -> AccessToken:
        self.asked += 1
        number = self.asked
        self.begun.set()
        if not self.gate.wait(WAIT):
            raise TimeoutError
        if self.error is not None:
            raise self.error
        return AccessToken(f"token-{number}", self.clock.now, self.clock.now + self.life)


@pytest.fixture
def source(clock: TurnedClock) -> Source:
    return Source(clock)


@pytest.fixture
def elapsed() -> TurnedClock:
    """The clock that only goes forward."""
    return TurnedClock()


@pytest.fixture
def tokens(source: Source, clock: TurnedClock, elapsed: TurnedClock) -> TokenSource:
    return TokenSource(source, clock=clock, elapsed=elapsed)


def landed(tokens: TokenSource) -> None:
    """Wait until no request is under way any more."""
    for thread in threading.enumerate():
        if thread.name == "ostiary-token":
            thread.join(WAIT)


def hold_until_all_wait(server: AuthorizationServer, api: Server) -> Callable[[], None]:
    """Let the token request be answered only when every caller has had the time to come."""
    gate = threading.Event()

    def wait() -> None:
        gate.wait(WAIT)

    server.before_answer = wait
    return gate.set


def test_fifty_threads_share_one_token_request(
    auth: Callable[..., ClientAuth], api: Server, authorization_server: AuthorizationServer
) -> None:
    own, ready = auth(), threading.Barrier(CALLERS + 1)
    release = hold_until_all_wait(authorization_server, api)

    def call(_: int) -> str:
        with httpx2.Client(auth=own, verify=False) as http:
            ready.wait(WAIT)
            return http.get(f"{api.url}/orders").text

    with ThreadPoolExecutor(CALLERS) as pool:
        calls = pool.map(call, range(CALLERS))
        ready.wait(WAIT)
        release()
        assert set(calls) == {"Bearer token-1"}
    assert authorization_server.token_requests == 1


def test_fifty_tasks_share_one_token_request(
    auth: Callable[..., ClientAuth], api: Server, authorization_server: AuthorizationServer
) -> None:
    own = auth()

    async def run() -> set[str]:
        limits = httpx2.Limits(max_connections=CALLERS)
        async with httpx2.AsyncClient(auth=own, limits=limits) as http:
            release = hold_until_all_wait(authorization_server, api)
            calls = [asyncio.create_task(http.get(f"{api.url}/orders")) for _ in range(CALLERS)]
            await asyncio.sleep(0)
            release()
            return {answer.text for answer in await asyncio.gather(*calls)}

    assert asyncio.run(run()) == {"Bearer token-1"}
    assert authorization_server.token_requests == 1


def test_threads_and_tasks_share_one_request(tokens: TokenSource, source: Source) -> None:
    source.gate.clear()

    async def both() -> set[str]:
        blocking = [asyncio.to_thread(tokens.token) for _ in range(3)]
        waiting = asyncio.gather(*blocking, *(tokens.token_async() for _ in range(CALLERS)))
        await asyncio.to_thread(source.begun.wait, WAIT)
        source.gate.set()
        return {token.value for token in await waiting}

    assert asyncio.run(both()) == {"token-1"}
    assert source.asked == 1


def test_blocking_call_inside_the_loop_does_not_wait_for_that_loop(tokens: TokenSource, source: Source) -> None:
    source.gate.clear()

    async def mixed() -> tuple[str, str]:
        task = asyncio.create_task(tokens.token_async())
        await asyncio.sleep(0)
        source.gate.set()
        return tokens.token().value, (await task).value

    assert asyncio.run(mixed()) == ("token-1", "token-1")


def test_cancelled_caller_does_not_take_the_others_token_along(tokens: TokenSource, source: Source) -> None:
    source.gate.clear()

    async def run() -> str:
        first, second = asyncio.create_task(tokens.token_async()), asyncio.create_task(tokens.token_async())
        await asyncio.to_thread(source.begun.wait, WAIT)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        source.gate.set()
        return (await second).value

    assert asyncio.run(run()) == "token-1"
    assert source.asked == 1


def test_token_is_kept_while_it_is_fresh(tokens: TokenSource, source: Source, clock: TurnedClock) -> None:
    tokens.token()
    clock.now += 569
    assert tokens.token().value == "token-1"
    assert source.asked == 1


def test_token_is_renewed_before_its_end_behind_the_callers_back(
    tokens: TokenSource, source: Source, clock: TurnedClock
) -> None:
    tokens.token()
    source.gate.clear()
    clock.now += 571
    assert [tokens.token().value for _ in range(3)] == ["token-1"] * 3
    source.gate.set()
    landed(tokens)
    assert tokens.token().value == "token-2"
    assert source.asked == 2


@pytest.mark.parametrize(("life", "ahead"), [(10, 1), (100, 10), (600, 30), (3600, 30)])
def test_renewal_begins_a_tenth_of_the_life_ahead_and_at_most_thirty_seconds(
    life: float, ahead: float, clock: TurnedClock
) -> None:
    source = Source(clock, life)
    tokens = TokenSource(source, clock=clock)
    tokens.token()
    clock.now += life - ahead - 0.01
    tokens.token()
    landed(tokens)
    assert source.asked == 1
    clock.now += 0.02
    tokens.token()
    landed(tokens)
    assert source.asked == 2


def test_token_at_its_end_is_not_used_any_more(tokens: TokenSource, source: Source, clock: TurnedClock) -> None:
    tokens.token()
    clock.now += 593
    assert tokens.token().value == "token-2"


def test_failed_renewal_leaves_the_old_token_in_use_and_is_logged(
    tokens: TokenSource, source: Source, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    tokens.token()
    source.error = Unavailable("token endpoint")
    clock.now += 575
    tokens.token()
    landed(tokens)
    assert tokens.token().value == "token-1"
    assert "token endpoint is unavailable" in caplog.text


def test_failed_request_fails_everybody_who_waited_with_the_same_error(tokens: TokenSource, source: Source) -> None:
    source.gate.clear()
    source.error = TokenRequestRefused("invalid_client")

    async def run() -> list[object]:
        waiting = asyncio.gather(*(tokens.token_async() for _ in range(CALLERS)), return_exceptions=True)
        await asyncio.to_thread(source.begun.wait, WAIT)
        source.gate.set()
        return list(await waiting)

    assert {id(error) for error in asyncio.run(run())} == {id(source.error)}
    assert source.asked == 1


def test_call_after_a_failure_asks_again(tokens: TokenSource, source: Source) -> None:
    source.error = TokenRequestRefused("invalid_client")
    with pytest.raises(TokenRequestRefused):
        tokens.token()
    source.error = None
    assert tokens.token().value == "token-2"


def test_retry_after_is_waited_for(tokens: TokenSource, source: Source, clock: TurnedClock) -> None:
    source.error = Unavailable("token endpoint", retry_after=20)
    with pytest.raises(Unavailable):
        tokens.token()
    source.error = None
    clock.now += 19
    with pytest.raises(Unavailable):
        tokens.token()
    assert source.asked == 1
    clock.now += 2
    assert tokens.token().value == "token-2"


def test_failures_in_a_row_are_asked_about_ever_more_rarely(
    tokens: TokenSource, source: Source, clock: TurnedClock
) -> None:
    source.error = TokenRequestRefused("invalid_client")
    for _ in range(300):
        with pytest.raises(TokenRequestRefused):
            tokens.token()
        clock.now += 1
    assert 8 <= source.asked <= 20


def test_success_ends_the_pause(tokens: TokenSource, source: Source, clock: TurnedClock) -> None:
    source.error = TokenRequestRefused("invalid_client")
    for _ in range(2):
        with pytest.raises(TokenRequestRefused):
            tokens.token()
    source.error = None
    clock.now += 2
    tokens.token()
    clock.now += 1000
    source.error = TokenRequestRefused("invalid_client")
    with pytest.raises(TokenRequestRefused):
        tokens.token()
    source.error = None
    assert tokens.token().value == "token-5"


def test_clock_set_back_does_not_prolong_a_pause(tokens: TokenSource, source: Source, clock: TurnedClock) -> None:
    source.error = Unavailable("token endpoint", retry_after=300)
    with pytest.raises(Unavailable):
        tokens.token()
    source.error = None
    clock.now -= 86_400
    assert tokens.token().value == "token-2"


def test_refused_token_is_replaced_once_for_all_who_held_it(tokens: TokenSource, source: Source) -> None:
    old = tokens.token()
    assert [tokens.token(instead_of=old).value for _ in range(5)] == ["token-2"] * 5
    assert source.asked == 2


def test_request_that_never_lands_is_given_up(tokens: TokenSource, source: Source, elapsed: TurnedClock) -> None:
    source.gate.clear()
    lost = threading.Thread(target=tokens.token, daemon=True)
    lost.start()
    assert source.begun.wait(WAIT)
    elapsed.now += 61
    source.begun.clear()
    later = threading.Thread(target=tokens.token, daemon=True)
    later.start()
    assert source.begun.wait(WAIT)
    source.gate.set()
    lost.join(WAIT)
    later.join(WAIT)
    assert source.asked == 2


@pytest.mark.parametrize("turned", [-1, 61])
def test_clock_that_is_set_meanwhile_starts_no_second_request(
    tokens: TokenSource, source: Source, clock: TurnedClock, turned: float
) -> None:
    source.gate.clear()

    async def run() -> set[str]:
        first = asyncio.create_task(tokens.token_async())
        await asyncio.to_thread(source.begun.wait, WAIT)
        clock.now += turned
        second = asyncio.create_task(tokens.token_async())
        await asyncio.sleep(0)
        source.gate.set()
        return {token.value for token in await asyncio.gather(first, second)}

    assert asyncio.run(run()) == {"token-1"}
    assert source.asked == 1


def test_process_forked_meanwhile_asks_for_itself(
    tokens: TokenSource, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.gate.clear()
    parent = threading.Thread(target=tokens.token, daemon=True)
    parent.start()
    assert source.begun.wait(WAIT)
    monkeypatch.setattr("ostiary.client.token_source.os.getpid", lambda: -1)
    source.begun.clear()
    child = threading.Thread(target=tokens.token, daemon=True)
    child.start()
    assert source.begun.wait(WAIT)
    source.gate.set()
    parent.join(WAIT)
    child.join(WAIT)
    assert source.asked == 2


def test_busy_server_is_left_alone_as_long_as_it_asks(
    auth: Callable[..., ClientAuth], api: Server, authorization_server: AuthorizationServer, clock: TurnedClock
) -> None:
    authorization_server.answer = lambda: reply_json({"error": "temporarily_unavailable"}, 503, **{"Retry-After": "30"})
    with httpx2.Client(auth=auth()) as http:
        for _ in range(3):
            with pytest.raises(Unavailable) as caught:
                http.get(f"{api.url}/orders")
            assert caught.value.retry_after == 30
        assert authorization_server.token_requests == 1
        authorization_server.answer = lambda: None
        clock.now += 31
        assert http.get(f"{api.url}/orders").status_code == 200
