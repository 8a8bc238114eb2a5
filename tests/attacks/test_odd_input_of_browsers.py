"""Anything in query, body, cookies and headers gets the registered error or a page, never a 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.authorization_server.asgi import routes
from ostiary.authorization_server.browser import browser_forms, cookies
from ostiary.authorization_server.browser.interaction import Interaction, seal
from ostiary.protocol import jws
from ostiary.user_authentication import second_factor
from tests.authorization_server.applications import CALLBACK, add_application, authorize_url, code_for, redeem, sign_in
from tests.authorization_server.browser import Browser
from tests.authorization_server.world import ISSUER, scope
from tests.user_authentication.browser import PeopleWorld

PATHS = tuple(routes(ISSUER))
FIELDS = (
    "passkey",
    "challenge",
    "interaction",
    "csrf",
    "decision",
    "session_id",
    "username",
    "password",
    "method",
    "code",
    "enrolment",
    "name",
    "factor_id",
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "acr_values",
    "login_hint",
    "ui_locales",
    "claims",
    "id_token_hint",
    "display",
    "post_logout_redirect_uri",
    "access_token",
    "account",
    "done",
    "current",
    "token",
    "refresh_token",
    "grant_type",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "code_verifier",
    "resource",
)


class Known:
    """What an attacker may have: a browser that is signed in, its state and form token, and tokens of every kind."""

    def __init__(self, world: PeopleWorld) -> None:
        self.world = world
        self.browser = Browser(world)
        ada = world.user("ada")
        sign_in(self.browser, ada)
        tokens = redeem(world, code_for(self.browser)).json
        session = self.browser.cookies["__Host-ostiary-session"]
        secrets = cookies.BrowserSecrets(self.browser.cookies["__Host-ostiary-browser"], session)
        session_id = world.sessions("ada")[0].session_id
        now, proofs = int(world.clock()), second_factor.first_proofs(world.factors())
        half = Interaction(started_at=now, user_id=ada.user_id, amr=("pwd",), proved_at=now, first_proofs=proofs)
        asking = Interaction(started_at=now, parameters=dict(_pairs(authorize_url())))
        key = world.signing_keys.current("ES256")
        self.values = [
            *(seal(world.server, one, secrets) for one in (half, asking)),
            browser_forms.token(world.server, secrets),
            *(str(tokens[name]) for name in ("access_token", "refresh_token", "id_token")),
            *(jws.sign(payload, key, typ="JWT") for payload in _odd_claims(session_id)),
            session_id,
            "app",
            CALLBACK,
            "allow",
            "sign_out",
            "query",
            "form_post",
            "code",
            "S256",
            "totp",
            "recovery_code",
            "openid offline_access",
            "authorization_code",
            "refresh_token",
            '{"id_token":{"acr":{"essential":true,"values":["a"]}}}',
            '{"userinfo":{"name":{"value":1' + "0" * 400 + "}}}",
            '{"id_token":{"sub":{"value":"\\ud83d"}}}',
            '{"id_token":' + "[" * 40 + "]" * 40 + "}",
            "9" * 400,
        ]


def _odd_claims(session_id: str) -> list[bytes]:
    big = "1" + "0" * 400
    same = f'"iss":"{ISSUER}","sub":"usr_x","aud":"app","sid":"{session_id}"'
    return [
        f'{{{same},"exp":{big},"iat":{big}}}'.encode(),
        f'{{"iss":"{ISSUER}","sub":"usr_x","aud":["app","other"],"sid":7,"exp":1}}'.encode(),
        f'{{"iss":"{ISSUER}","sub":"usr_x","aud":[]}}'.encode(),
    ]


def _pairs(url: str) -> list[tuple[str, str]]:
    return parse_qsl(url.partition("?")[2])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    world = PeopleWorld(tmp_path_factory.mktemp("odd"))
    try:
        world.add_user("ada", email="ada@example.com", email_verified=True)
        world.add_api()
        add_application(world)
        yield Known(world)
    finally:
        world.close()


TEXTS = st.text(max_size=40) | st.sampled_from(
    ["", "\r\nset-cookie: a=b", "é", "\0", "%0d%0a", "<script>", "\u2028", "ß" * 3000]
)


def answered(
    known: Known, method: str, path: str, query: bytes, body: bytes, headers: dict[str, str]
) -> tuple[int, Any]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asked = scope(method, path, headers) | {"query_string": query}

    async def ask() -> None:
        await known.world.app(asked, receive, send)

    known.world.run(ask())
    return sent[0]["status"], sent[0]["headers"]


@settings(deadline=None)
@given(
    path=st.sampled_from(PATHS),
    method=st.sampled_from(("GET", "POST")),
    query=st.binary(max_size=80),
    body=st.binary(max_size=80),
    cookie=st.text(alphabet=st.characters(max_codepoint=255), max_size=60),
    language=st.text(alphabet=st.characters(max_codepoint=255), max_size=30),
)
def test_any_octets_get_an_answer(
    known: Known, path: str, method: str, query: bytes, body: bytes, cookie: str, language: str
) -> None:
    headers = {"cookie": cookie, "accept-language": language, "authorization": language, "user-agent": cookie}
    headers["content-type"] = "application/x-www-form-urlencoded"
    status, _ = answered(known, method, path, query, body, headers)
    assert status < 500


@settings(deadline=None)
@given(data=st.data(), path=st.sampled_from(PATHS), method=st.sampled_from(("GET", "POST")))
def test_any_fields_get_an_answer(known: Known, data: st.DataObject, path: str, method: str) -> None:
    value = TEXTS | st.sampled_from(known.values)
    fields = st.dictionaries(st.sampled_from(FIELDS), value, max_size=8)
    query, body = data.draw(fields), data.draw(fields)
    if data.draw(st.booleans()):
        query["interaction"] = data.draw(st.sampled_from(known.values[:2]))
        body["csrf"] = known.values[2]
    if data.draw(st.booleans()):
        query = dict(_pairs(authorize_url())) | query
    headers = {"content-type": "application/x-www-form-urlencoded"}
    headers["cookie"] = "; ".join(f"{name}={given}" for name, given in known.browser.cookies.items())
    if data.draw(st.booleans()):
        headers["authorization"] = "Bearer " + quote(data.draw(value))
    status, told = answered(known, method, path, urlencode(query).encode(), urlencode(body).encode(), headers)
    assert status < 500
    for name, text in told:
        assert not set(b"\r\n\0") & set(text), name
        if name == b"location":
            assert text.startswith((ISSUER.encode() + b"/", CALLBACK.encode())), text
