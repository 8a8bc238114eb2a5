"""Logout by an application, and the applications that are told (standards 103, 104; attack 42)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from ostiary.authorization_server import backchannel_logout
from ostiary.authorization_server.deliverer import PAUSES, Deliverer
from ostiary.fetching.guarded import GuardedFetcher
from ostiary.model.logout_notice import GIVE_UP_AFTER
from ostiary.model.user import User
from ostiary.protocol import jws, logout_token
from ostiary.revocation import Act, revoke_session, revoke_user
from tests.authorization_server.applications import (
    add_application,
    add_user,
    authorize_url,
    code_for,
    orders_claims,
    redeem,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser, location, query_of
from tests.authorization_server.world import ISSUER, Answer, World
from tests.client.http_server import Received, Reply, Server

BYE = "https://app.example.com/bye"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An application that is told of logouts, over real HTTP on loopback."""
    with Server() as server:
        yield Receiver(server)


class Receiver:
    """statuses: what it answers, the last one for good."""

    def __init__(self, server: Server) -> None:
        self.url = server.url + "/backchannel"
        self.statuses = [200]
        self._server = server
        server.routes["/backchannel"] = self._answer

    def _answer(self, received: Received) -> Reply:
        return Reply(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    @property
    def tokens(self) -> list[str]:
        """The logout tokens that came."""
        return [received.form()["logout_token"][0] for received in self._server.received]


def _deliver(world: World) -> int:
    async def once() -> int:
        fetcher = GuardedFetcher(allow_networks=("127.0.0.0/8",), allow_http=True)
        handlers = {"backchannel_logout": backchannel_logout.handler(world.server, fetcher)}
        return await Deliverer(world.storage, handlers, world.clock).run_once()  # type: ignore[arg-type]

    return world.run(once())


def _logout(**parameters: str) -> str:
    return f"/logout?{urlencode(parameters)}"


@pytest.fixture
def tokens(world: World, browser: Browser, ada: User) -> dict[str, str]:
    """What the application ``site``, which has an address to return to, got for ada."""
    add_application(world, "site", login={"post_logout_redirect_uris": (BYE,)})
    sign_in(browser, ada)
    found: dict[str, str] = redeem(world, code_for(browser, authorize_url("site")), "site").json
    return found


def test_with_its_id_token_the_application_ends_the_session_and_gets_the_browser_back(
    world: World, browser: Browser, tokens: dict[str, str]
) -> None:
    """standards 104."""
    answer = browser.get(_logout(id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE, state="s 1"))
    assert answer.headers["location"] == f"{BYE}?state=s+1"
    assert "__Host-ostiary-session" not in browser.cookies
    assert world.introspect(tokens["access_token"]).json == {"active": False}
    assert refresh(world, tokens["refresh_token"], "site").status == 400


def test_an_expired_id_token_is_still_a_hint(world: World, browser: Browser, tokens: dict[str, str]) -> None:
    world.clock.now += 1000
    answer = browser.get(_logout(id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE))
    assert answer.headers["location"] == BYE


def test_without_an_id_token_the_person_is_asked(world: World, browser: Browser, tokens: dict[str, str]) -> None:
    """standards 104: anybody can send a browser here."""
    page = browser.get(_logout(client_id="site", post_logout_redirect_uri=BYE))
    assert page.status == 200
    assert world.introspect(tokens["access_token"]).json["active"] is True
    assert browser.submit("sign-out-form", decision="sign_out").headers["location"] == BYE
    assert world.introspect(tokens["access_token"]).json == {"active": False}


def test_the_confirmation_cannot_be_sent_from_elsewhere(browser: Browser, tokens: dict[str, str]) -> None:
    assert browser.post("/logout", {"decision": "sign_out"}).status == 403
    browser.get(_logout())
    assert browser.post("/logout", {"decision": "sign_out"}, origin="https://evil.example").status == 403


def test_the_form_of_another_site_ends_nothing_and_takes_no_session_away(
    world: World, browser: Browser, tokens: dict[str, str]
) -> None:
    """Such a form comes without the cookies, which are SameSite=Lax; what it is answered may set them all the same."""
    answer = _from_another_site(browser, {})
    assert not answer.all_headers("set-cookie")
    page = browser.get(answer.headers["location"])
    assert b"sign-out-form" in page.body
    assert world.introspect(tokens["access_token"]).json["active"] is True


def test_an_application_may_send_its_logout_as_a_form(world: World, browser: Browser, tokens: dict[str, str]) -> None:
    """RP-Initiated Logout 2: "OpenID Providers MUST support the use of the HTTP GET and POST methods"."""
    sent = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": BYE, "state": "s"}
    answer = browser.get(_from_another_site(browser, sent).headers["location"])
    assert answer.headers["location"] == f"{BYE}?state=s"
    assert world.introspect(tokens["access_token"]).json == {"active": False}


def _from_another_site(browser: Browser, sent: dict[str, str]) -> Answer:
    """The answer to a form that a page elsewhere sends: without cookies."""
    return browser.world.post("/logout", sent, origin="https://app.example.com", sec_fetch_site="cross-site")


@pytest.mark.parametrize(
    "parameters",
    [
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"client_id": "site", "post_logout_redirect_uri": BYE + "/"},
        {"client_id": "app", "post_logout_redirect_uri": BYE},
        {"id_token_hint": "nonsense"},
    ],
    ids=str,
)
def test_an_address_that_is_not_registered_is_never_returned_to(
    browser: Browser, tokens: dict[str, str], parameters: dict[str, str]
) -> None:
    """standards 104, attack 38."""
    answer = browser.get(_logout(**parameters))
    assert answer.status == 400
    assert "location" not in answer.headers


def test_the_hint_of_another_client_does_not_fit(browser: Browser, tokens: dict[str, str]) -> None:
    assert browser.get(_logout(id_token_hint=tokens["id_token"], client_id="app")).status == 400


def test_an_access_token_is_no_hint(browser: Browser, tokens: dict[str, str]) -> None:
    """attack 16."""
    assert browser.get(_logout(id_token_hint=tokens["access_token"])).status == 400


def test_another_account_of_the_browser_stays_signed_in(world: World, browser: Browser, tokens: dict[str, str]) -> None:
    sign_in(browser, add_user(world, "bob"))
    browser.get(_logout(id_token_hint=tokens["id_token"], post_logout_redirect_uri=BYE))
    assert "consent-form" in browser.get(authorize_url()).body.decode()
    assert b"bob" in browser.page.body  # type: ignore[union-attr]


def test_after_a_logout_the_next_person_does_not_get_the_old_session(
    world: World, browser: Browser, tokens: dict[str, str]
) -> None:
    """attack 42."""
    kept = dict(browser.cookies)
    browser.get(_logout(id_token_hint=tokens["id_token"]))
    browser.cookies = kept  # the browser did not drop its cookie
    assert location(browser.get(authorize_url("site"), follow=False)) == f"{ISSUER}/sign-in"
    sign_in(browser, add_user(world, "bob"))
    code = code_for(browser, authorize_url("site"))
    assert orders_claims(redeem(world, code, "site").json["access_token"])["sub"] == "usr_bob"


@pytest.mark.parametrize("how", ["session", "user"])
def test_every_application_of_the_session_is_told(
    world: World, browser: Browser, ada: User, receiver: Receiver, how: str
) -> None:
    """standards 103."""
    add_application(world, "told", login={"backchannel_logout_uri": receiver.url})
    session = sign_in(browser, ada)
    redeem(world, code_for(browser, authorize_url("told")), "told")
    code_for(browser)
    act = Act("cli", world.clock())
    if how == "session":
        world.write(lambda work: revoke_session(work, session.session_id, act))
    else:
        world.write(lambda work: revoke_user(work, ada.user_id, act))
    assert _deliver(world) == 1
    assert _deliver(world) == 0
    parsed = jws.parse(receiver.tokens[0])
    key = world.signing_keys.verification_key(parsed.header.kid or "")
    assert key is not None
    jws.verify(parsed, key)
    assert parsed.header.typ == logout_token.TYP
    claims = parsed.claims()
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, "told", ada.user_id)
    assert claims["sid"] == session.session_id
    assert claims["events"] == {logout_token.EVENT: {}}
    assert "nonce" not in claims
    assert 0 < int(str(claims["exp"])) - int(str(claims["iat"])) <= 120


def test_who_does_not_answer_is_tried_again_with_a_fresh_token(
    world: World, browser: Browser, ada: User, receiver: Receiver
) -> None:
    receiver.statuses = [500, 503, 200]
    add_application(world, "told", login={"backchannel_logout_uri": receiver.url})
    session = sign_in(browser, ada)
    redeem(world, code_for(browser, authorize_url("told")), "told")
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    assert _deliver(world) == 0
    assert _deliver(world) == 0, "not before its time"
    assert len(receiver.tokens) == 1
    world.clock.now += PAUSES[0]
    assert _deliver(world) == 0
    world.clock.now += PAUSES[1]
    assert _deliver(world) == 1
    assert len({orders_claims(token)["jti"] for token in receiver.tokens}) == 3


def test_who_refuses_is_not_asked_again_and_who_never_answers_is_given_up(
    world: World, browser: Browser, ada: User, receiver: Receiver
) -> None:
    receiver.statuses = [400]
    add_application(world, "told", login={"backchannel_logout_uri": receiver.url})
    session = sign_in(browser, ada)
    redeem(world, code_for(browser, authorize_url("told")), "told")
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    _deliver(world)
    world.clock.now += 10_000
    _deliver(world)
    assert len(receiver.tokens) == 1
    receiver.statuses = [500]
    session = sign_in(browser, ada)
    redeem(world, code_for(browser, authorize_url("told")), "told")
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    world.clock.now += GIVE_UP_AFTER
    assert _deliver(world) == 0
    assert len(receiver.tokens) == 1


def test_a_logout_uri_inside_the_network_is_not_reached_unless_allowed(
    world: World, browser: Browser, ada: User, receiver: Receiver
) -> None:
    """standards 105, attack 37: CVE-2026-4874."""
    add_application(world, "told", login={"backchannel_logout_uri": receiver.url})
    session = sign_in(browser, ada)
    redeem(world, code_for(browser, authorize_url("told")), "told")
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))

    async def once() -> int:
        handlers = {"backchannel_logout": backchannel_logout.handler(world.server, GuardedFetcher(allow_http=True))}
        return await Deliverer(world.storage, handlers, world.clock).run_once()  # type: ignore[arg-type]

    assert world.run(once()) == 0
    assert receiver.tokens == []


def test_a_signed_userinfo_answer_is_no_hint(world: World, browser: Browser, ada: User) -> None:
    """attack 16: signed by the same key, under the same typ, for the same client and user; it has no times."""
    add_application(world, "signed", login={"userinfo_alg": "ES256"})
    sign_in(browser, ada)
    answer = redeem(world, code_for(browser, authorize_url("signed", scope="openid")), "signed").json
    told = world.get("/userinfo", authorization=f"Bearer {answer['access_token']}")
    assert told.headers["content-type"] == "application/jwt"
    assert browser.get(_logout(id_token_hint=told.body.decode())).status == 400
    hint = query_of(browser.get(authorize_url("signed", scope="openid", id_token_hint=told.body.decode())))
    assert (hint["error"], hint["error_description"]) == (
        "invalid_request",
        "id_token_hint is no ID token of this client",
    )


def test_an_application_without_refresh_tokens_is_told_long_after_its_last_token(
    world: World, browser: Browser, ada: User, receiver: Receiver
) -> None:
    login = {"backchannel_logout_uri": receiver.url}
    add_application(world, "told", login=login, grant_types=("authorization_code",))
    session = sign_in(browser, ada)
    redeem(world, code_for(browser, authorize_url("told")), "told")
    world.clock.now += 2 * world.settings.tokens.max_life
    world.run(world.storage.expire(int(world.clock())))
    world.write(lambda work: revoke_session(work, session.session_id, Act("cli", world.clock())))
    assert _deliver(world) == 1
