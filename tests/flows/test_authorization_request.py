"""Every check of the authorization request, alone, and who is told; no refusal leads anywhere unregistered."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from ostiary.authorization_server.authorization.checks import CHECKS
from ostiary.authorization_server.authorization.request import PARAMETERS
from ostiary.model.user import User
from tests.authorization_server.applications import (
    CALLBACK,
    add_application,
    add_user,
    authorize_url,
    code_for,
    redeem,
    sign_in,
)
from tests.authorization_server.browser import Browser, location, query_of
from tests.authorization_server.world import BILLS, ISSUER, World

PUBLIC: dict[str, Any] = {"authentication_method": "none", "key": None}

TO_THE_PERSON = [
    {"client_id": None},
    {"client_id": "nobody"},
    {"client_id": "shop"},
    {"redirect_uri": None},
    {"redirect_uri": "https://evil.example"},
]

TO_THE_CLIENT = [
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"response_mode": "web_message"}, "invalid_request"),
    ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    ({"request_uri": "https://app.example.com/r"}, "request_uri_not_supported"),
    ({"registration": "{}"}, "registration_not_supported"),
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"scope": "openid orders:delete"}, "invalid_scope"),
    ({"scope": "openid\torders:read"}, "invalid_request"),
    ({"scope": "openid  orders:read"}, "invalid_scope"),
    ({"resource": BILLS}, "invalid_target"),
    ({"resource": "not a uri"}, "invalid_target"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"prompt": "create"}, "invalid_request"),
    ({"display": "hologram"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"max_age": "soon"}, "invalid_request"),
    ({"max_age": "٣"}, "invalid_request"),
    ({"claims": "{"}, "invalid_request"),
    ({"claims": '{"id_token": []}'}, "invalid_request"),
    ({"claims": '{"id_token": {"sub": {"value": 1}}}'}, "invalid_request"),
    ({"id_token_hint": "nonsense"}, "invalid_request"),
    ({"nonce": "n" * 3000}, "invalid_request"),
    ({"prompt": "none"}, "login_required"),
]


@pytest.mark.parametrize("change", TO_THE_PERSON, ids=str)
def test_without_a_client_and_its_own_redirect_uri_nobody_is_redirected(
    browser: Browser, change: dict[str, str | None]
) -> None:
    """standards 18, attack 38."""
    answer = browser.get(authorize_url(**change))
    assert answer.status == 400
    assert "location" not in answer.headers
    assert b"evil.example" not in answer.body
    assert b"tr_" in answer.body


@pytest.mark.parametrize(("change", "error"), TO_THE_CLIENT, ids=str)
def test_each_fault_is_told_to_the_client_with_state_issuer_and_trace(
    browser: Browser, change: dict[str, str | None], error: str
) -> None:
    """standards 20."""
    answer = browser.get(authorize_url(**change))
    if change.get("scope") == "openid\torders:read":
        assert answer.status == 400  # a control character is no form at all
        return
    assert answer.status == 303
    assert location(answer) == CALLBACK
    found = query_of(answer)
    assert (found["error"], found["iss"], found["state"]) == (error, ISSUER, "st-1")
    trace = browser.world.read(lambda work: work.traces.get(found["trace"]))
    assert trace is not None
    assert not any(check.passed for check in trace[0].checks)


@pytest.mark.parametrize("name", sorted(PARAMETERS - {"client_id", "redirect_uri"}))
@pytest.mark.parametrize("how", ["doubled", "markup", "long", "empty"])
def test_every_parameter_may_be_bad_and_nothing_breaks(browser: Browser, ada: User, name: str, how: str) -> None:
    """attack 46: doubled, over-long, with markup in it: the registered error, in the right place, and never a 500."""
    sign_in(browser, ada)
    markup = '"><script>alert(1)</script>'
    url = authorize_url(**{name: {"markup": markup, "long": "x" * 9000, "empty": ""}.get(how, "x")})
    answer = browser.get(url + f"&{name}=y" if how == "doubled" else url)
    assert answer.status in (200, 303, 400)
    assert b"<script>alert" not in answer.body
    if answer.status == 303:
        assert location(answer) in (CALLBACK, f"{ISSUER}/sign-in")
    if how == "doubled":
        assert answer.status == 400
        assert "location" not in answer.headers


REDIRECT_URIS = [
    CALLBACK + "/",
    CALLBACK + "?x=1",
    CALLBACK + "#fragment",
    CALLBACK + "/../evil",
    CALLBACK + "%2f..",
    CALLBACK + "%00",
    CALLBACK + "\r\nset-cookie: a=b",
    CALLBACK.upper(),
    CALLBACK.replace("https", "http"),
    CALLBACK.replace("app.example.com", "app.example.com:8443"),
    CALLBACK.replace("app.example.com", "app.example.com."),
    CALLBACK.replace("app.example.com", "app.example.com@evil.example"),
    CALLBACK.replace("app.example.com", "evil.example\\@app.example.com"),
    CALLBACK.replace("app.example.com", "evil.example%40app.example.com"),
    CALLBACK.replace("/callback", "//callback"),
    CALLBACK.replace("/callback", "/callback;x"),
    CALLBACK.replace("app", "аpp"),
    "https://*.example.com/callback",
    "javascript:alert(1)//" + CALLBACK,
    "//app.example.com/callback",
    "/callback",
]


@pytest.mark.parametrize("uri", REDIRECT_URIS)
def test_a_redirect_uri_is_compared_character_by_character(browser: Browser, uri: str) -> None:
    """standards 16, attack 22."""
    answer = browser.get(authorize_url(redirect_uri=uri))
    assert answer.status == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1/cb", True),
        ("http://[::1]:51004/cb", False),
        ("http://127.0.0.1:51004/cb2", False),
        ("http://127.0.0.1:51004@evil.example/cb", False),
        ("http://localhost:51004/cb", False),
        ("http://127.0.0.2:51004/cb", False),
    ],
)
def test_of_a_native_loopback_uri_the_port_alone_may_differ(
    world: World, browser: Browser, uri: str, good: bool
) -> None:
    """standards 16."""
    login = {"application_type": "native", "redirect_uris": ("http://127.0.0.1/cb",)}
    add_application(world, "cli", login=login, **PUBLIC)
    answer = browser.get(authorize_url("cli", redirect_uri=uri), follow=False)
    assert (answer.status == 303) is good


def test_a_web_application_has_no_such_exception(world: World, browser: Browser) -> None:
    add_application(world, "web", login={"redirect_uris": ("http://127.0.0.1/cb",)})
    assert browser.get(authorize_url("web", redirect_uri="http://127.0.0.1:5000/cb")).status == 400


def test_an_exempted_client_needs_a_nonce_and_openid_instead_of_pkce(world: World, browser: Browser, ada: User) -> None:
    """RFC 9700 2.1.1."""
    add_application(world, "old", login={"require_pkce": False})
    sign_in(browser, ada)
    without = {"code_challenge": None, "code_challenge_method": None}
    assert query_of(browser.get(authorize_url("old", **without, nonce=None)))["error"] == "invalid_request"
    assert query_of(browser.get(authorize_url("old", **without, scope="orders:read")))["error"] == "invalid_request"
    code = code_for(browser, authorize_url("old", **without))
    assert redeem(world, code, "old", code_verifier=None).status == 200


def test_the_challenge_method_plain_is_refused_and_only_s256_is_published(browser: Browser) -> None:
    """standards 12."""
    for change in (
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge_method": "s256"},
    ):
        assert query_of(browser.get(authorize_url(**change)))["error"] == "invalid_request"
    document = browser.world.get("/.well-known/oauth-authorization-server").json
    assert document["code_challenge_methods_supported"] == ["S256"]


def test_every_redirect_makes_a_browser_forget_the_form(browser: Browser, ada: User) -> None:
    """standards 19: 303, never 307, after a password was sent as after everything else."""
    assert browser.get(authorize_url(), follow=False).status == 303
    sign_in(browser, ada)
    browser.get(authorize_url())
    assert browser.submit("consent-form", decision="allow").status == 303
    assert browser.get(authorize_url(scope="nonsense"), follow=False).status == 303


def test_a_public_client_is_never_exempted(world: World, browser: Browser) -> None:
    """attack 23."""
    add_application(world, "spa", login={"require_pkce": False, "application_type": "browser"}, **PUBLIC)
    answer = browser.get(authorize_url("spa", code_challenge=None, code_challenge_method=None))
    assert query_of(answer)["error"] == "invalid_request"


def test_the_method_post_is_served_too(browser: Browser) -> None:
    """OpenID Connect Core 3.1.2.1."""
    fields = dict(part.split("=", 1) for part in authorize_url().partition("?")[2].split("&"))
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    sent = {"content-type": "application/x-www-form-urlencoded"}
    answer = browser.world.run(browser.world.call("POST", "/authorize", body.encode(), sent))
    assert location(answer) == f"{ISSUER}/sign-in"


def test_two_resources_may_be_asked_for_and_each_gets_its_own_token(world: World, browser: Browser, ada: User) -> None:
    """RFC 8707 2."""
    scopes = {"https://orders.example.com": ("orders:read",), BILLS: ("bills:read",)}
    add_application(world, "both", scopes=scopes)
    sign_in(browser, ada)
    asked = authorize_url("both", scope="openid orders:read bills:read", resource="https://orders.example.com")
    code = code_for(browser, f"{asked}&resource={quote(BILLS, safe='')}")
    tokens = redeem(world, code, "both", resource=BILLS)
    assert tokens.json["scope"] == "bills:read"
    other = world.post(
        "/token",
        world.form(
            "both",
            grant_type="refresh_token",
            refresh_token=tokens.json["refresh_token"],
            resource="https://orders.example.com",
        ),
    )
    assert other.json["scope"] == "orders:read"


def test_several_apis_must_be_told_apart(world: World, browser: Browser) -> None:
    scopes = {"https://orders.example.com": ("orders:read",), BILLS: ("bills:read",)}
    add_application(world, "both", scopes=scopes)
    answer = browser.get(authorize_url("both", scope="orders:read bills:read"))
    assert query_of(answer)["error"] == "invalid_target"


def test_no_cors_and_no_framing_at_the_authorization_endpoint(browser: Browser, ada: User) -> None:
    """standards 107, 109."""
    sign_in(browser, ada)
    page = browser.get(authorize_url())
    assert not [name for name in page.headers if name.startswith("access-control")]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


def test_no_token_comes_from_the_authorization_endpoint_and_no_password_grant_exists(world: World) -> None:
    """standards 110."""
    document = world.get("/.well-known/openid-configuration").json
    assert document["response_types_supported"] == ["code"]
    assert not {"password", "implicit"} & set(document["grant_types_supported"])


def test_claims_asked_for_one_by_one_need_the_scope_that_covers_them(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    claims = json.dumps({"id_token": {"email": None, "name": {"essential": True}}})
    code = code_for(browser, authorize_url(scope="openid email", claims=claims))
    from tests.authorization_server.applications import orders_claims

    told = orders_claims(redeem(world, code).json["id_token"])
    assert told["email"] == "ada@example.com"
    assert "name" not in told


def test_the_table_has_every_check_of_the_module() -> None:
    import inspect

    from ostiary.authorization_server.authorization import checks as module

    defined = [
        function
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    ]
    assert set(defined) == {check for check, _ in CHECKS}


def test_a_hint_of_another_user_is_refused(world: World, browser: Browser, ada: User) -> None:
    sign_in(browser, ada)
    hint = redeem(world, code_for(browser)).json["id_token"]
    other = Browser(world)
    sign_in(other, add_user(world, "bob"))
    assert query_of(other.get(authorize_url(id_token_hint=hint, prompt="none")))["error"] == "login_required"
    assert "code" in query_of(browser.get(authorize_url(id_token_hint=hint, prompt="none")))


def test_unknown_parameters_are_passed_over(browser: Browser) -> None:
    assert browser.get(authorize_url() + "&" + urlencode({"utm": "x"}), follow=False).status == 303


def test_a_window_that_an_application_opened_for_the_sign_in_can_come_back_to_it(browser: Browser, ada: User) -> None:
    """The account page, which nobody opens so, is cut off from its opener; the pages of a sign-in are not."""
    sign_in(browser, ada)
    assert "cross-origin-opener-policy" not in browser.get(authorize_url()).headers
    assert browser.get("/account").headers["cross-origin-opener-policy"] == "same-origin"
