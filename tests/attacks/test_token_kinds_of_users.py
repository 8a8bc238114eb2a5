"""Every kind of secret and token of a user at every place that takes one: only its own place takes it.

Attacks 16 and 18, standards 28; 8725bis 3.12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ostiary.authorization_server.browser import browser_forms, cookies
from ostiary.authorization_server.identifiers import new_jti
from ostiary.errors import VerificationError
from ostiary.protocol import access_token, jws, logout_token
from tests.authorization_server.applications import (
    add_application,
    add_user,
    authorize_url,
    code_for,
    redeem,
    refresh,
    sign_in,
)
from tests.authorization_server.browser import Browser, location, query_of
from tests.authorization_server.world import ISSUER, ORDERS, World, shop_world

SESSION, BROWSER = "__Host-ostiary-session", "__Host-ostiary-browser"


class Tokens:
    """One good token of each kind, of ada's sign-in at ``app``."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.browser = Browser(world)
        session = sign_in(self.browser, add_user(world))
        both = redeem(world, code_for(self.browser)).json
        userinfo_only = redeem(world, code_for(self.browser, authorize_url(scope="openid"))).json
        interaction = query_of(self.browser.get(authorize_url(prompt="login"), follow=False))["interaction"]
        told = logout_token.build(
            issuer=ISSUER,
            client_id="app",
            subject="usr_ada",
            session_id=session.session_id,
            jti=new_jti(world.clock()),
            now=int(world.clock()),
        )
        secrets = cookies.BrowserSecrets(self.browser.cookies[BROWSER], self.browser.cookies[SESSION])
        self.of = {
            "self-contained access token": both["access_token"],
            "reference access token": userinfo_only["access_token"],
            "refresh token": both["refresh_token"],
            "code": code_for(self.browser),
            "ID token": both["id_token"],
            "logout token": jws.sign(told, world.signing_keys.current("ES256"), typ=logout_token.TYP),
            "client assertion": world.assertion("app"),
            "session secret": self.browser.cookies[SESSION],
            "browser secret": self.browser.cookies[BROWSER],
            "interaction": interaction,
            "form token": browser_forms.token(world.server, secrets),
        }


KINDS = (
    "self-contained access token",
    "reference access token",
    "refresh token",
    "code",
    "ID token",
    "logout token",
    "client assertion",
    "session secret",
    "browser secret",
    "interaction",
    "form token",
)
ACCESS = KINDS[:2]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    folder: Path = tmp_path_factory.mktemp("kinds")
    with shop_world(folder) as world:
        add_application(world)
        yield Tokens(world)


def _userinfo(tokens: Tokens, text: str) -> bool:
    return tokens.world.get("/userinfo", authorization=f"Bearer {text}").status == 200


def _userinfo_in_the_form(tokens: Tokens, text: str) -> bool:
    return tokens.world.post("/userinfo", {"access_token": text}).status == 200


def _introspection(tokens: Tokens, text: str) -> bool:
    return bool(tokens.world.introspect(text).json["active"])


def _api(tokens: Tokens, text: str) -> bool:
    """As an API that is called all that these tokens are for."""
    try:
        parsed = jws.parse(text)
        key = tokens.world.signing_keys.verification_key(parsed.header.kid or "")
        if key is None:
            return False
        mine = (ORDERS, "app", ISSUER)
        return bool(access_token.verify(parsed, key, issuer=ISSUER, audience=mine, now=tokens.world.clock()))
    except VerificationError:
        return False


def _refresh(tokens: Tokens, text: str) -> bool:
    return refresh(tokens.world, text).status == 200


def _code(tokens: Tokens, text: str) -> bool:
    return redeem(tokens.world, text).status == 200


def _authentication(tokens: Tokens, text: str) -> bool:
    answer = tokens.world.post("/token", tokens.world.form("app", assertion=text, grant_type="refresh_token"))
    return bool(answer.json["error"] != "invalid_client")


def _hint(tokens: Tokens, text: str) -> bool:
    return "code" in query_of(tokens.browser.get(authorize_url(id_token_hint=text)))


def _logout_hint(tokens: Tokens, text: str) -> bool:
    stranger = Browser(tokens.world)
    return stranger.get(f"/logout?id_token_hint={text}").status == 200


def _session_cookie(tokens: Tokens, text: str) -> bool:
    with_it = Browser(tokens.world, {BROWSER: tokens.browser.cookies[BROWSER], SESSION: text})
    return "code" in query_of(with_it.get(authorize_url(), follow=False))


def _browser_cookie(tokens: Tokens, text: str) -> bool:
    with_it = Browser(tokens.world, {BROWSER: text})
    return with_it.get(f"/sign-in?interaction={tokens.of['interaction']}").status == 200


def _form(tokens: Tokens, text: str) -> bool:
    """Declining to sign out shows that the form was taken."""
    return tokens.browser.post("/sign-out", {"csrf": text, "decision": "stay"}, follow=False).status == 303


def _interaction(tokens: Tokens, text: str) -> bool:
    answer = tokens.browser.get(f"/continue?interaction={text}", follow=False)
    return answer.status == 303 and location(answer) == f"{ISSUER}/sign-in"


PLACES: dict[str, tuple[Callable[[Tokens, str], bool], tuple[str, ...]]] = {
    "userinfo": (_userinfo, ACCESS),
    "userinfo, in the form": (_userinfo_in_the_form, ACCESS),
    "introspection by its API": (_introspection, ("self-contained access token",)),
    "an API": (_api, ("self-contained access token",)),
    "client authentication": (_authentication, ("client assertion",)),
    "id_token_hint": (_hint, ("ID token",)),
    "id_token_hint of a logout": (_logout_hint, ("ID token",)),
    "session cookie": (_session_cookie, ("session secret",)),
    "browser cookie": (_browser_cookie, ("browser secret",)),
    "interaction": (_interaction, ("interaction",)),
    "form token": (_form, ("form token",)),
    "refreshing": (_refresh, ("refresh token",)),
    "redeeming": (_code, ("code",)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_taken_at_its_own_place_alone(tokens: Tokens, place: str, kind: str) -> None:
    taken, own = PLACES[place]
    assert taken(tokens, tokens.of[kind]) == (kind in own)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (*ACCESS, "refresh token")])
def test_revocation_ends_nothing_but_access_and_refresh_tokens(tokens: Tokens, kind: str) -> None:
    before = tokens.world.read(lambda work: work.revocations.since(0))
    assert tokens.world.post("/revoke", tokens.world.form("app", token=tokens.of[kind])).status == 200
    assert tokens.world.read(lambda work: work.revocations.since(0)) == before
